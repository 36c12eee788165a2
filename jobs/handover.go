package jobs

import (
	"context"
	"sync"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// handover holds deliveries that were committed in this process's hands and
// wait to be queued. Making them so saves the claim, which would cost the
// database as much again as they did.
type handover struct {
	mu     sync.Mutex
	claims []db.Claim
	rung   chan struct{}
}

func newHandover() *handover { return &handover{rung: make(chan struct{}, 1)} }

func (h *handover) add(claims []db.Claim) {
	h.mu.Lock()
	h.claims = append(h.claims, claims...)
	h.mu.Unlock()
	select {
	case h.rung <- struct{}{}:
	default:
	}
}

func (h *handover) drain() []db.Claim {
	h.mu.Lock()
	defer h.mu.Unlock()
	claims := h.claims
	h.claims = nil
	return claims
}

// takes reports whether what is made for an endpoint may be sent without
// asking anybody: no pause, no limit that other processes share.
func (e *Engine) takes(ep *relay.Endpoint) bool {
	return ep.Status == relay.EndpointActive && ep.RateLimit <= 0 && ep.MaxInFlight <= 0 && e.redisOK.Load() && e.accept.Err() == nil
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
		if !ok || !e.takes(ep) || !e.paces.take(ep.ID) {
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

// replayHold lets replays be made in flight as far as they are sent at once.
func (e *Engine) replayHold() *db.Hold {
	config := e.Store.Config()
	return &db.Hold{Lease: db.Lease{Owner: e.owner, Until: e.leaseUntil(config.LongestTimeout())}, Room: func(id relay.ID) int {
		if ep, ok := config.Endpoint(id); ok && e.takes(ep) {
			return e.paces.spare(id)
		}
		return 0
	}}
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
	if e.paces.settle(endpoint, replay) {
		e.hints.add(endpoint)
		e.poke()
	}
}

// takenOf are the deliveries that were made in flight, as claims.
func takenOf(deliveries []relay.Delivery) []db.Claim {
	claims := make([]db.Claim, 0, len(deliveries))
	for i := range deliveries {
		if d := &deliveries[i]; d.InFlight {
			claims = append(claims, db.ClaimOf(d))
		}
	}
	return claims
}

// handOver takes over live claims that are on disk and counted.
func (e *Engine) handOver(claims []db.Claim, until time.Time) {
	if e.keep(claims, until) {
		e.taken.add(claims)
	}
}

// handOverReplays does the same for replays, and queues them as soon as no
// live event is under way.
func (e *Engine) handOverReplays(ctx context.Context, claims []db.Claim, until time.Time) {
	if !e.keep(claims, until) {
		return
	}
	e.Store.GiveWay(ctx, queueCourtesy)
	if ctx.Err() == nil && e.redisOK.Load() {
		e.enqueue(ctx, claims, true)
	}
}

// keep holds claims and reports whether they are to be queued. Those that come
// after Stop gave back what was held are given back here.
func (e *Engine) keep(claims []db.Claim, until time.Time) bool {
	if len(claims) == 0 {
		return false
	}
	e.held.put(claims, true, e.Now(), until)
	if e.accept.Err() != nil {
		e.giveBack()
		return false
	}
	return true
}

// queueTaken queues live claims that were handed over. While Redis does not
// answer it leaves that to requeue.
func (e *Engine) queueTaken(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.taken.rung:
		}
		if claims := e.taken.drain(); len(claims) > 0 && e.redisOK.Load() {
			e.enqueue(ctx, claims, true) // what came in while the last ones were queued
		}
	}
}
