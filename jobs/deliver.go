package jobs

import (
	"context"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// process runs a task of asynq. It returns nil whatever happens: retries and
// counts are the database's, and asynq's own sets of failed tasks stay empty.
// Its context is of no use either: asynq ends it when Redis is away for a while,
// and what is being sent must not end with it.
func (e *Engine) process(_ context.Context, task *asynq.Task) error {
	defer func() {
		if r := recover(); r != nil {
			e.Log.Error("a task panicked", "type", task.Type(), "panic", r, "stack", string(debug.Stack()))
		}
	}()
	if task.Type() != typeDeliver {
		e.Log.Warn("a task of an unknown type was dropped", "type", task.Type())
		return nil
	}
	e.deliverAll(e.abort, e.begin(e.abort, unpackRefs(task.Payload())))
	return nil
}

// begin takes the claims of a task out of what this process holds, and adopts
// those that another process made.
func (e *Engine) begin(ctx context.Context, refs []db.ClaimRef) []heldClaim {
	claims := make([]heldClaim, 0, len(refs))
	var foreign, doubtful []db.ClaimRef
	for _, ref := range refs {
		c, mine := e.held.take(ref)
		switch {
		case mine && (e.Alone || !c.doubtful):
			claims = append(claims, c)
		case mine:
			doubtful = append(doubtful, ref)
			e.paces.settle(c.EndpointID, c.Lane == relay.LaneReplay)
		case !e.Alone:
			foreign = append(foreign, ref)
		}
	}
	return slices.Concat(claims, e.adopt(ctx, false, foreign), e.adopt(ctx, true, doubtful))
}

func (e *Engine) adopt(ctx context.Context, own bool, refs []db.ClaimRef) []heldClaim {
	if len(refs) == 0 {
		return nil
	}
	since, until := e.Now(), e.Now().Add(time.Minute+claimSlack)
	adopted, err := e.Store.Adopt(ctx, db.Lease{Owner: e.owner, Until: until}, own, refs)
	if err != nil {
		e.Log.Warn("adopting deliveries", "error", err)
	}
	claims := make([]heldClaim, len(adopted))
	for i, c := range adopted {
		e.paces.claim(c.EndpointID, c.Lane == relay.LaneReplay, 1)
		claims[i] = heldClaim{Claim: c, since: since, until: until}
	}
	return claims
}

func (e *Engine) deliverAll(ctx context.Context, claims []heldClaim) {
	if !e.join(len(claims)) {
		for _, c := range claims {
			e.paces.settle(c.EndpointID, c.Lane == relay.LaneReplay)
			e.release(c)
		}
		return
	}
	if len(claims) > 0 && claims[0].Lane == relay.LaneReplay { // a task is of one lane
		e.Store.GiveWay(e.accept, queueCourtesy)
	}
	e.prefetch(ctx, claims)
	look := newLook(e.Store, claims)
	if len(claims) == 1 {
		e.deliver(ctx, claims[0], look)
		return
	}
	var all sync.WaitGroup
	for _, c := range claims {
		all.Go(func() { e.deliver(ctx, c, look) })
	}
	all.Wait()
}

// join counts deliveries as being sent, unless the engine is stopping.
func (e *Engine) join(n int) bool {
	e.gate.RLock()
	defer e.gate.RUnlock()
	if e.accept.Err() != nil {
		return false
	}
	e.sending.Add(n)
	return true
}

// prefetch reads in one go the payloads that are not in memory.
func (e *Engine) prefetch(ctx context.Context, claims []heldClaim) {
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
func (e *Engine) deliver(ctx context.Context, c heldClaim, look *look) {
	defer e.sending.Done()
	defer e.payloads.sent(c.EventID)
	replay := c.Lane == relay.LaneReplay
	settled := false
	defer func() {
		if r := recover(); r != nil {
			e.Log.Error("a delivery panicked", "delivery_id", relay.PrefixDelivery.Format(c.DeliveryID), "panic", r, "stack", string(debug.Stack()))
		}
		if !settled {
			e.paces.settle(c.EndpointID, replay)
		}
	}()
	ep, ok := e.Store.Config().Endpoint(c.EndpointID)
	if !ok {
		e.release(c)
		return
	}
	if replay {
		e.spread.wait(e.accept)
		e.Store.GiveWay(e.accept, sendCourtesy)
	}
	if c.suspect() {
		if !e.aloneTurn(e.accept) {
			e.releaseFor(c, aloneWait)
			return
		}
		defer func() { <-e.alone }()
	}
	if err := e.paces.enter(e.accept, c.EndpointID, ep.MaxInFlight); err != nil {
		e.release(c)
		return
	}
	entered := e.Now()
	var result Result
	standing := db.ClaimHolds
	sent := func() bool {
		outcome := relay.OutcomeInternal
		defer func() { e.paces.leave(c.EndpointID, e.Now().Sub(entered), outcome) }()
		if !e.slot(e.accept, replay) {
			return false
		}
		defer e.unslot(replay)
		// Things may have changed while this waited for its turn.
		if ep, ok = e.Store.Config().Endpoint(c.EndpointID); !ok || ep.Status == relay.EndpointPaused ||
			e.Now().Add(ep.HTTPTimeout).After(c.until) {
			return false
		}
		entered = e.Now()
		standing, result, ok = e.send(ctx, c, ep, look)
		outcome = result.Outcome
		return ok
	}()
	switch {
	case standing == db.ClaimLost:
		return
	case standing == db.ClaimWaits:
		e.releaseFor(c, waitAgain)
		return
	case !sent:
		e.release(c)
		return
	}
	settled = true
	e.record(c, ep, result)
}

func (e *Engine) slot(ctx context.Context, replay bool) bool {
	if replay {
		select {
		case e.replays <- struct{}{}:
		case <-ctx.Done():
			return false
		}
	}
	select {
	case e.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		if replay {
			<-e.replays
		}
		return false
	}
}

func (e *Engine) unslot(replay bool) {
	<-e.slots
	if replay {
		<-e.replays
	}
}

// send makes the request of a claim, if the claim still stands when everything
// for it is at hand.
func (e *Engine) send(ctx context.Context, c heldClaim, ep *relay.Endpoint, look *look) (db.Standing, Result, bool) {
	p := e.payloads.get(c.EventID)
	if p == nil {
		read, err := e.Store.PayloadsOf(ctx, []relay.ID{c.EventID})
		if err != nil {
			return db.ClaimHolds, Result{}, false
		}
		found, there := read[c.EventID]
		if !there {
			gone := relay.Result{Outcome: relay.OutcomeInternal, Err: "The event is gone: its retention ended."}
			return db.ClaimHolds, Result{Result: gone, StartedAt: e.Now()}, true
		}
		p = &found
	}
	req := e.requestOf(c, ep, p)
	standing, err := look.standing(ctx, c, e.Now())
	if err == nil && standing == db.ClaimHolds && c.suspect() {
		err = e.Store.MarkAlone(ctx, &c.Claim)
	}
	if err != nil {
		return db.ClaimHolds, Result{}, false
	}
	if standing != db.ClaimHolds {
		return standing, Result{}, false
	}
	return standing, e.Send.Send(ctx, req), true
}

func (e *Engine) requestOf(c heldClaim, ep *relay.Endpoint, p *db.EventPayload) Request {
	req := Request{
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
func (e *Engine) record(c heldClaim, ep *relay.Endpoint, r Result) {
	now := e.Now()
	attempt := relay.Attempt{
		ID: relay.NewIDAt(r.StartedAt), ProjectID: c.ProjectID, DeliveryID: c.DeliveryID, EventID: c.EventID, EndpointID: c.EndpointID,
		Number: c.Attempts + 1, Outcome: r.Outcome, StartedAt: r.StartedAt, Duration: r.Duration, URL: ep.URL,
		RequestHeaders: r.RequestHeaders, ResponseStatus: r.Status, ResponseHeaders: r.ResponseHeaders,
		ResponseBody: r.ResponseBody, Truncated: r.Truncated, Error: r.Err,
	}
	decision := relay.Decide(ep.Retry, attempt.Number, r.Result, now, e.RetryScale, rand.Float64())
	rec := db.Recording{
		DeliveryID: c.DeliveryID, Fence: c.Fence, Attempt: attempt, Status: decision.Status, Lane: c.Lane,
		NextAttemptAt: decision.Next, LastError: r.Err,
		// An endpoint that takes few at a time waits for the record.
		Patient: c.Lane == relay.LaneReplay && ep.MaxInFlight == 0,
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

func (e *Engine) tryRecord(c heldClaim, rec db.Recording, wait time.Duration) {
	e.Store.Record(context.Background(), rec, func(stale bool, err error) {
		if err != nil && e.Now().Add(wait).Before(c.until) && e.abort.Err() == nil {
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
func (e *Engine) finish(c heldClaim, rec db.Recording, stale bool) {
	defer e.sending.Done()
	e.leave(c.EndpointID, c.Lane == relay.LaneReplay)
	if rec.Status == relay.DeliveryDLQ || stale {
		e.Log.Info("delivery ended", "delivery_id", relay.PrefixDelivery.Format(c.DeliveryID),
			"endpoint_id", relay.PrefixEndpoint.Format(c.EndpointID), "status", rec.Status, "attempt", rec.Attempt.Number,
			"outcome", rec.Attempt.Outcome, "superseded", stale)
	}
}

// release gives a claim back that was not begun.
func (e *Engine) release(c heldClaim) { e.releaseFor(c, 0) }

// releaseFor gives a claim back that is not to be made again for a while.
func (e *Engine) releaseFor(c heldClaim, wait time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ref := db.ClaimRef{DeliveryID: c.DeliveryID, Fence: c.Fence}
	if err := e.Store.Release(ctx, e.Now().Add(wait), []db.ClaimRef{ref}); err != nil {
		e.Log.Warn("a claim could not be given back; it lapses", "error", err)
	}
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
