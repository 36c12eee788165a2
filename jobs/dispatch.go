package jobs

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

const (
	// lookEvery is how often a process looks for what is due although nobody
	// told it: for how long work may wait whose task was lost.
	lookEvery = time.Second
	// handWait is how long what is in hand waits for its task.
	handWait = time.Second
	// claimSlack is what a lease has beyond the endpoint's time limit: time to
	// wait for a turn and to record.
	claimSlack = 60 * time.Second
)

// dispatch asks for tasks for what is due, when it becomes so and every second.
func (e *Engine) dispatch(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-e.looks:
		}
		timer.Reset(e.lookForDue(ctx))
	}
}

// look makes the dispatcher look for what is due now.
func (e *Engine) look() {
	select {
	case e.looks <- struct{}{}:
	default:
	}
}

// lookForDue asks for a task for each lane that has something due, and for what
// has been in hand for long. It answers when to look again.
func (e *Engine) lookForDue(ctx context.Context) time.Duration {
	if n := e.hand.waiting(e.Now().Add(-handWait)); n > 0 {
		e.asked.inHand(n)
	}
	due, err := e.Store.DueEndpoints(ctx)
	if err != nil {
		if ctx.Err() == nil {
			e.Log.Warn("looking for due deliveries", "error", err)
		}
		return lookEvery
	}
	now, next, config := e.Now(), lookEvery, e.Store.Config()
	for _, d := range due {
		if wait := d.DueAt.Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		if config.Deleted(d.EndpointID) {
			e.deleted.Store(true)
		} else if ep, ok := config.Endpoint(d.EndpointID); ok && ep.Status != relay.EndpointPaused {
			e.asked.isDue(d.EndpointID, d.Lane == relay.LaneReplay)
		}
	}
	return max(next, time.Millisecond)
}

// give makes a task of work for this process. While Redis does not answer, the
// same is done at once.
func (e *Engine) give(ctx context.Context, w work) {
	if e.redisOK.Load() {
		err := e.Tasks.Enqueue(ctx, w.task(ownQueue(e.owner)))
		if err == nil {
			return
		}
		e.lostRedis(err)
	}
	go e.deliverWork(w)
}

// takes reports whether what is made for an endpoint may be sent without
// asking anybody: no pause, no limit that other processes share.
func (e *Engine) takes(ep *relay.Endpoint) bool {
	return ep.Status == relay.EndpointActive && ep.RateLimit <= 0 && ep.MaxInFlight <= 0 && e.accept.Err() == nil
}

// leaseUntil is when a lease ends that begins now, for requests of at most so
// long.
func (e *Engine) leaseUntil(longest time.Duration) time.Time {
	return e.Now().Add(longest + claimSlack)
}

// take marks those live deliveries, about to be committed, that can be sent at
// once. handOver or drop must follow.
func (e *Engine) take(deliveries []relay.Delivery) *db.Lease {
	config := e.Store.Config()
	longest := time.Duration(-1)
	for i := range deliveries {
		d := &deliveries[i]
		ep, ok := config.Endpoint(d.EndpointID)
		if !ok || !e.takes(ep) || !e.places.take(ep) {
			continue
		}
		d.InFlight = true
		longest = max(longest, ep.HTTPTimeout)
	}
	if longest < 0 {
		return nil
	}
	return &db.Lease{Owner: e.owner, Until: e.leaseUntil(longest)}
}

// drop gives back the places of deliveries that were taken and not made.
func (e *Engine) drop(deliveries []relay.Delivery) {
	for i := range deliveries {
		if d := &deliveries[i]; d.InFlight {
			e.leave(d.EndpointID, false)
		}
	}
}

// leave frees a claim's place for what else is due for the endpoint.
func (e *Engine) leave(endpoint relay.ID, replay bool) {
	if more := e.places.giveBack(endpoint, replay, 1); more {
		e.asked.isDue(endpoint, replay)
	}
}

// handOver takes over deliveries that were taken and are on disk now. Those that
// come after Stop gave back what was in hand are given back here.
func (e *Engine) handOver(deliveries []relay.Delivery, until time.Time) {
	now, changes := e.Now(), e.Store.Changes()
	var claims []claim
	for i := range deliveries {
		if d := &deliveries[i]; d.InFlight {
			claims = append(claims, claim{Claim: db.ClaimOf(d), since: now, changes: changes, until: until})
		}
	}
	if len(claims) == 0 {
		return
	}
	e.hand.add(claims)
	if e.accept.Err() != nil {
		e.giveBack()
		return
	}
	e.asked.inHand(len(claims))
}
