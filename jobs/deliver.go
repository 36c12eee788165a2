package jobs

import (
	"context"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/jobs/send"
	"github.com/reprise-dev/reprise/relay"
)

// process runs a task for deliveries.
func (e *Engine) process(task Task) {
	w, ok := unpackWork(task.Payload)
	if task.Kind != typeDeliver || !ok {
		e.Log.Warn("a task of an unknown kind was dropped", "kind", task.Kind)
		return
	}
	e.deliverWork(w)
}

// deliverWork sends what there is of the work that a task speaks of, and returns
// when the requests have ended.
func (e *Engine) deliverWork(w work) {
	defer func() {
		if r := recover(); r != nil {
			e.Log.Error("a task panicked", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	if !e.join() {
		return
	}
	defer e.sending.Done()
	var claims []claim
	if w.endpoint.IsZero() {
		claims = e.hand.take(w.most)
	} else {
		claims = e.claim(w)
	}
	e.prefetch(e.abort, claims)
	look := newLook(e.Store, claims)
	if len(claims) == 1 {
		e.deliver(e.abort, claims[0], look)
		return
	}
	var all sync.WaitGroup
	for _, c := range claims {
		all.Go(func() { e.deliver(e.abort, c, look) })
	}
	all.Wait()
}

// join counts a task as being worked on, unless the engine is stopping.
func (e *Engine) join() bool {
	e.gate.RLock()
	defer e.gate.RUnlock()
	if e.accept.Err() != nil {
		return false
	}
	e.sending.Add(1)
	return true
}

var (
	liveLanes   = []relay.Lane{relay.LaneLive, relay.LaneRetry}
	replayLanes = []relay.Lane{relay.LaneReplay}
)

// claim takes what is due for an endpoint, as much as there is room for. If there
// was more it asks for another task.
func (e *Engine) claim(w work) []claim {
	ep, ok := e.Store.Config().Endpoint(w.endpoint)
	if !ok || ep.Status == relay.EndpointPaused {
		return nil
	}
	n := e.places.reserve(ep, w.replay, w.most)
	if n == 0 {
		return nil
	}
	q := db.ClaimRequest{EndpointID: w.endpoint, Limit: n, Lanes: liveLanes, MaxLeased: ep.MaxInFlight, Rate: ep.RateLimit, Per: ep.RateLimitDuration}
	if w.replay {
		q.Lanes = replayLanes
	}
	since, changes, until := e.Now(), e.Store.Changes(), e.leaseUntil(ep.HTTPTimeout)
	got, wait, err := e.Store.Claim(e.abort, db.Lease{Owner: e.owner, Until: until}, q)
	if err != nil && e.abort.Err() == nil {
		e.Log.Warn("claiming deliveries", "error", err)
	}
	e.metrics.claims.Inc()
	e.metrics.claimed.Add(float64(len(got)))
	e.places.giveBack(w.endpoint, w.replay, n-len(got))
	switch {
	case len(got) == n: // there is room for more in another task, or none until one of these ends
		e.places.due(w.endpoint, true)
		e.asked.isDue(w.endpoint, w.replay)
	case wait > 0:
		time.AfterFunc(wait, func() { e.asked.isDue(w.endpoint, w.replay) })
	case err == nil:
		e.places.due(w.endpoint, false)
	}
	claims := make([]claim, len(got))
	for i, c := range got {
		claims[i] = claim{Claim: c, since: since, changes: changes, until: until}
		if !c.ReplayID.IsZero() {
			claims[i].since = time.Time{} // its job may be paused
		}
	}
	return claims
}

// prefetch reads in one go the payloads that are not in memory.
func (e *Engine) prefetch(ctx context.Context, claims []claim) {
	var missing []relay.ID
	uses := map[relay.ID]int{}
	for _, c := range claims {
		if e.payloads.get(c.EventID) == nil {
			missing = append(missing, c.EventID)
			uses[c.EventID]++
		}
	}
	if len(missing) == 0 {
		return
	}
	read, err := e.Store.PayloadsOf(ctx, missing)
	if err != nil {
		e.Log.Warn("reading payloads", "error", err)
		return
	}
	for _, p := range read {
		e.payloads.put(&p, uses[p.Event.ID])
	}
}

// deliver makes one attempt for a claim, as soon as its endpoint and this
// process have a place free.
func (e *Engine) deliver(ctx context.Context, c claim, look *look) {
	defer e.payloads.sent(c.EventID)
	replay := c.Lane == relay.LaneReplay
	settled := false
	defer func() {
		if r := recover(); r != nil {
			e.Log.Error("a delivery panicked", "delivery_id", relay.PrefixDelivery.Format(c.DeliveryID), "panic", r, "stack", string(debug.Stack()))
		}
		if !settled {
			e.places.giveBack(c.EndpointID, replay, 1)
		}
	}()
	ep, ok := e.Store.Config().Endpoint(c.EndpointID)
	if !ok {
		e.release(c, 0)
		return
	}
	if c.suspect() {
		if !e.aloneTurn(e.accept) {
			e.release(c, aloneWait)
			return
		}
		defer func() { <-e.alone }()
	}
	turn, waited, err := e.places.enter(e.accept, ep, replay)
	if err != nil {
		e.release(c, 0)
		return
	}
	var result send.Result
	defer func() { e.places.leave(turn, result.Outcome) }()
	// Things may have changed while this waited for its turn.
	if ep, ok = e.Store.Config().Endpoint(c.EndpointID); !ok || ep.Status == relay.EndpointPaused ||
		e.Now().Add(ep.HTTPTimeout).After(c.until) {
		e.release(c, 0)
		return
	}
	if waited || e.silent() {
		c.since = time.Time{}
	}
	standing, result, err := e.send(ctx, c, ep, look)
	switch {
	case err != nil:
		e.release(c, 0)
	case standing == db.ClaimWaits:
		e.release(c, waitAgain)
	case standing == db.ClaimHolds:
		settled = true
		e.record(c, ep, result)
	}
}

// send makes the request of a claim, if the claim still stands when everything
// for it is at hand.
func (e *Engine) send(ctx context.Context, c claim, ep *relay.Endpoint, look *look) (db.Standing, send.Result, error) {
	p := e.payloads.get(c.EventID)
	if p == nil {
		read, err := e.Store.PayloadsOf(ctx, []relay.ID{c.EventID})
		if err != nil {
			return 0, send.Result{}, err
		}
		found, there := read[c.EventID]
		if !there {
			gone := relay.Result{Outcome: relay.OutcomeInternal, Err: "The event is gone: its retention ended."}
			return db.ClaimHolds, send.Result{Result: gone, StartedAt: e.Now()}, nil
		}
		p = &found
	}
	req := e.requestOf(c, ep, p)
	standing, err := look.standing(ctx, c, e.Now())
	if err == nil && standing == db.ClaimHolds && c.suspect() {
		err = e.Store.MarkAlone(ctx, &c.Claim)
	}
	if err != nil || standing != db.ClaimHolds {
		return standing, send.Result{}, err
	}
	return standing, e.Send.Send(ctx, req), nil
}

func (e *Engine) requestOf(c claim, ep *relay.Endpoint, p *db.EventPayload) send.Request {
	req := send.Request{
		DeliveryID: relay.PrefixDelivery.Format(c.DeliveryID), EventID: relay.PrefixEvent.Format(c.EventID),
		EventType: c.EventType, AttemptNumber: c.Attempts + 1, ReceivedAt: p.Event.ReceivedAt, ContentType: p.Event.ContentType,
		Body: p.Payload.Body, Headers: p.Payload.Headers, Endpoint: ep, ProjectID: c.ProjectID,
	}
	src, ok := e.Store.Config().Source(c.SourceID)
	if ok {
		req.Forward = src.ForwardHeaders
	}
	req.Credentials = p.Payload.CredentialsOf(src)
	if c.Trigger == relay.TriggerReplay {
		req.IsReplay, req.ReplayRef = true, replayRef(c.Claim)
	}
	return req
}

// replayRef is what a replay says of its origin: the job, or the delivery that
// is replayed. The first delivery of an event to a new endpoint names itself.
func replayRef(c db.Claim) string {
	switch {
	case !c.ReplayID.IsZero():
		return relay.PrefixReplay.Format(c.ReplayID)
	case !c.ReplayOf.IsZero():
		return relay.PrefixDelivery.Format(c.ReplayOf)
	}
	return relay.PrefixDelivery.Format(c.DeliveryID)
}

// record decides what an attempt means and writes it down. While the database
// cannot be written it goes on trying until the lease ends; after that the
// delivery is due again, and the receiver knows it by its webhook-id.
func (e *Engine) record(c claim, ep *relay.Endpoint, r send.Result) {
	now := e.Now()
	attempt := relay.Attempt{
		ID: relay.NewIDAt(r.StartedAt), ProjectID: c.ProjectID, DeliveryID: c.DeliveryID, EventID: c.EventID, EndpointID: c.EndpointID,
		Number: c.Attempts + 1, Outcome: r.Outcome, StartedAt: r.StartedAt, Duration: r.Duration, URL: ep.URL,
		RequestHeaders: r.RequestHeaders, ResponseStatus: r.Status, ResponseHeaders: r.ResponseHeaders,
		ResponseBody: r.ResponseBody, Truncated: r.Truncated, Error: r.Err,
	}
	decision := relay.Decide(ep.Retry, attempt.Number, r.Result, now, e.RetryScale, rand.Float64())
	rec := db.Recording{
		Claim: c.Claim, Attempt: attempt, Status: decision.Status, Lane: c.Lane,
		NextAttemptAt: decision.Next, LastError: r.Err,
		// An endpoint that takes few at a time waits for the record.
		Background: c.Lane == relay.LaneReplay && ep.MaxInFlight == 0,
	}
	if decision.Status == relay.DeliveryRetrying && c.Lane == relay.LaneLive {
		rec.Lane = relay.LaneRetry
	}
	if decision.PauseEndpoint {
		e.pauseGone(ep)
	}
	e.sending.Add(1)
	e.tryRecord(c, rec, 50*time.Millisecond)
}

func (e *Engine) tryRecord(c claim, rec db.Recording, wait time.Duration) {
	e.Store.Record(context.Background(), rec, func(stale bool, err error) {
		if err != nil && e.Now().Add(wait).Before(c.until) && e.abort.Err() == nil {
			rec.Again = true
			time.AfterFunc(wait, func() { e.tryRecord(c, rec, min(2*wait, 5*time.Second)) })
			return
		}
		if err != nil {
			e.Log.Error("an attempt could not be recorded; its delivery will be due again",
				"delivery_id", relay.PrefixDelivery.Format(c.DeliveryID), "error", err)
		}
		e.finish(c, rec, stale)
	})
}

// finish frees the claim's place for what else is due for the endpoint.
func (e *Engine) finish(c claim, rec db.Recording, stale bool) {
	defer e.sending.Done()
	e.leave(c.EndpointID, c.Lane == relay.LaneReplay)
	e.metrics.attempt(&rec.Attempt, rec.Status, c.Lane, c.CreatedAt)
	if rec.Status == relay.DeliveryDLQ || stale {
		e.Log.Info("delivery ended", "delivery_id", relay.PrefixDelivery.Format(c.DeliveryID),
			"endpoint_id", relay.PrefixEndpoint.Format(c.EndpointID), "status", rec.Status, "attempt", rec.Attempt.Number,
			"outcome", rec.Attempt.Outcome, "superseded", stale)
	}
}

// release gives a claim back that was not begun, to be made again after a while.
func (e *Engine) release(c claim, wait time.Duration) { e.tryRelease(c, wait, 50*time.Millisecond) }

// tryRelease goes on trying while the database cannot be written: a claim that is not
// given back is nobody's until its lease ends.
func (e *Engine) tryRelease(c claim, wait, again time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ref := db.ClaimRef{DeliveryID: c.DeliveryID, Fence: c.Fence}
	err := e.Store.Release(ctx, e.Now().Add(wait), []db.ClaimRef{ref})
	if err == nil {
		return
	}
	if e.Now().Add(again).Before(c.until) && e.accept.Err() == nil {
		time.AfterFunc(again, func() { e.tryRelease(c, wait, min(2*again, 5*time.Second)) })
		return
	}
	e.Log.Warn("a claim could not be given back; it lapses", "error", err)
}

// pauseGone pauses an endpoint that answered 410 Gone.
func (e *Engine) pauseGone(ep *relay.Endpoint) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	by := relay.Actor{Kind: relay.ActorSystem, Name: "delivery"}
	_, err := e.Store.UpdateEndpoint(ctx, ep.ProjectID, ep.ID, "endpoint.paused", by, func(now *relay.Endpoint) error {
		if now.Status != relay.EndpointActive {
			return &relay.Error{Kind: relay.KindConflict, Detail: "not active"}
		}
		now.Status, now.PauseReason = relay.EndpointPaused, "It answered 410 Gone: it does not want deliveries any more."
		return nil
	})
	if err != nil && relay.KindOf(err) != relay.KindConflict {
		e.Log.Warn("pausing an endpoint that is gone", "endpoint_id", relay.PrefixEndpoint.Format(ep.ID), "error", err)
	}
}
