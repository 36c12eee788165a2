package jobs

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"time"

	"github.com/hibiken/asynq"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

const (
	// dispatchTick is how late a retry may be, and how long work that another
	// process made may wait if the nudge is lost.
	dispatchTick = 250 * time.Millisecond
	// claimSlack is what a lease has beyond the endpoint's time limit: time to
	// wait for a turn and to record.
	claimSlack = 60 * time.Second
	// batchSize is how many deliveries a task carries when much is due.
	batchSize = 32
	// roundEndpoints bounds how many endpoints one claim asks for.
	roundEndpoints = 200
	typeDeliver    = "deliver"
	enqueueTime    = 2 * time.Second
)

// dispatch claims what is due and queues it, whenever it is nudged and every
// tick.
func (e *Engine) dispatch(ctx context.Context) {
	tick := time.NewTicker(dispatchTick)
	defer tick.Stop()
	var turn relay.ID // the endpoint that was served last
	for {
		scan := false
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			scan = true
		case <-e.nudged:
		}
		if !e.redisOK.Load() {
			continue
		}
		if e.hints.all.Swap(false) {
			scan = true
		}
		for more := true; more && ctx.Err() == nil; scan = false {
			more = e.round(ctx, scan, &turn)
		}
	}
}

// round makes one claim over all endpoints with due work and room, and reports
// whether there may be more at once.
func (e *Engine) round(ctx context.Context, scan bool, turn *relay.ID) bool {
	candidates := e.hints.take()
	if candidates == nil {
		candidates = map[relay.ID]struct{}{}
	}
	if scan {
		due, err := e.Store.DueEndpoints(ctx)
		if err != nil {
			if ctx.Err() == nil {
				e.Log.Warn("looking for due deliveries", "error", err)
			}
			return false
		}
		now := e.Now()
		for _, d := range due {
			if !d.DueAt.After(now) {
				candidates[d.EndpointID] = struct{}{}
			}
		}
	}
	requests := e.requests(ctx, candidates, turn)
	if len(requests) == 0 {
		return false
	}
	longest := time.Duration(0)
	config := e.Store.Config()
	for _, q := range requests {
		if ep, ok := config.Endpoint(q.EndpointID); ok {
			longest = max(longest, ep.HTTPTimeout)
		}
	}
	since, until := e.Now(), e.leaseUntil(longest)
	claims, err := e.Store.Claim(ctx, db.Lease{Owner: e.owner, Until: until}, requests)
	if err != nil {
		if ctx.Err() == nil {
			e.Log.Warn("claiming deliveries", "error", err)
		}
		return false
	}
	e.held.put(claims, false, since, until)
	got, replays := map[relay.ID]int{}, map[relay.ID]int{}
	for _, c := range claims {
		e.paces.claim(c.EndpointID, c.Lane == relay.LaneReplay, 1)
		got[c.EndpointID]++
		if c.Lane == relay.LaneReplay {
			replays[c.EndpointID]++
		}
	}
	e.returnRations(ctx, requests, got)
	more := false
	for _, q := range requests {
		switch {
		case got[q.EndpointID] >= q.Limit:
			e.hints.add(q.EndpointID)
			more = true
		case q.MaxLeased == 0:
			e.paces.sated(q.EndpointID, replays[q.EndpointID] < q.Replays)
		}
	}
	if len(claims) > 0 {
		e.enqueue(ctx, claims, len(claims) > e.Concurrency/2)
	}
	return more
}

// requests shares the free window out among the candidates, beginning with the
// one after the endpoint that was served last. Candidates without room are
// found again when something of theirs is recorded.
func (e *Engine) requests(ctx context.Context, candidates map[relay.ID]struct{}, turn *relay.ID) []db.ClaimRequest {
	ids := make([]relay.ID, 0, len(candidates))
	for id := range candidates {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b relay.ID) int { return bytes.Compare(a[:], b[:]) })
	start, _ := slices.BinarySearchFunc(ids, *turn, func(id, last relay.ID) int {
		if bytes.Compare(id[:], last[:]) <= 0 {
			return -1
		}
		return 1
	})
	config := e.Store.Config()
	var out []db.ClaimRequest
	share := max(windowOf(e.Concurrency)/max(len(ids), 1), 1)
	for i := range ids {
		id := ids[(start+i)%len(ids)]
		ep, ok := config.Endpoint(id)
		if !ok || ep.Status == relay.EndpointPaused {
			continue
		}
		if len(out) == roundEndpoints {
			e.hints.add(id)
			continue
		}
		free, replays := e.paces.room(id, ep.MaxInFlight)
		limit := e.ration(ctx, ep, min(free, share))
		if limit <= 0 {
			continue
		}
		lanes := []relay.Lane{relay.LaneLive, relay.LaneRetry, relay.LaneReplay}
		if replays == 0 {
			lanes = lanes[:2]
		}
		out = append(out, db.ClaimRequest{EndpointID: id, Limit: limit, Lanes: lanes, Replays: replays, MaxLeased: ep.MaxInFlight})
		*turn = id
	}
	return out
}

// ration asks for places under an endpoint's rate limit.
func (e *Engine) ration(ctx context.Context, ep *relay.Endpoint, want int) int {
	if ep.RateLimit <= 0 || want <= 0 {
		return want
	}
	ctx, cancel := context.WithTimeout(ctx, enqueueTime)
	defer cancel()
	granted, err := e.rates.Take(ctx, ep.ID.UUID(), ep.RateLimit, ep.RateLimitDuration, want)
	if err != nil {
		e.Log.Debug("asking for places under a rate limit", "error", err)
	}
	return granted
}

// returnRations gives back the places for which nothing was due.
func (e *Engine) returnRations(ctx context.Context, requests []db.ClaimRequest, got map[relay.ID]int) {
	for _, q := range requests {
		ep, ok := e.Store.Config().Endpoint(q.EndpointID)
		if unused := q.Limit - got[q.EndpointID]; ok && ep.RateLimit > 0 && unused > 0 {
			if err := e.rates.GiveBack(ctx, ep.ID.UUID(), unused); err != nil {
				e.Log.Debug("giving places under a rate limit back", "error", err)
			}
		}
	}
}

// enqueue hands claims to asynq: one task for each, or tasks of many for one
// endpoint when there are many, or when they are replays: each task costs Redis
// as much as a delivery costs the database. What cannot be queued stays held
// and is queued again when Redis answers.
func (e *Engine) enqueue(ctx context.Context, claims []db.Claim, many bool) {
	type group struct {
		endpoint relay.ID
		replay   bool
	}
	groups := map[group][]db.Claim{}
	var order []group
	for _, c := range claims {
		g := group{c.EndpointID, c.Lane == relay.LaneReplay}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], c)
	}
	for _, g := range order {
		queue, size := queueLive, 1
		if g.replay {
			queue = queueReplay
		}
		if g.replay || many {
			size = batchSize
		}
		for part := range slices.Chunk(groups[g], size) {
			if err := e.enqueueTask(ctx, queue, part); err != nil {
				e.redisOK.Store(false)
				e.Log.Warn("queueing failed; deliveries wait for Redis", "error", err)
				return
			}
		}
	}
	e.Wake.Nudge()
}

func (e *Engine) enqueueTask(ctx context.Context, queue string, claims []db.Claim) error {
	ctx, cancel := context.WithTimeout(ctx, enqueueTime)
	defer cancel()
	_, err := e.client.EnqueueContext(ctx, asynq.NewTask(typeDeliver, packRefs(claims)),
		asynq.Queue(queue), asynq.MaxRetry(0), asynq.Timeout(10*time.Minute))
	return err
}

// requeue queues again what is held: its tasks may have been lost.
func (e *Engine) requeue(ctx context.Context) {
	if claims := e.held.doubt(); len(claims) > 0 {
		e.Log.Info("queueing claimed deliveries again", "count", len(claims))
		e.enqueue(ctx, claims, true)
	}
}

const refBytes = len(relay.ID{}) + 8

// packRefs is a task's payload: delivery ids and fences, nothing else.
func packRefs(claims []db.Claim) []byte {
	out := make([]byte, 0, len(claims)*refBytes)
	for _, c := range claims {
		out = append(out, c.DeliveryID[:]...)
		out = binary.BigEndian.AppendUint64(out, uint64(c.Fence))
	}
	return out
}

// unpackRefs reads a payload that anybody with access to Redis could have
// written: what is not whole is left out.
func unpackRefs(payload []byte) []db.ClaimRef {
	var refs []db.ClaimRef
	for chunk := range slices.Chunk(payload, refBytes) {
		if len(chunk) < refBytes {
			break
		}
		refs = append(refs, db.ClaimRef{
			DeliveryID: relay.ID(chunk[:16]),
			Fence:      int64(binary.BigEndian.Uint64(chunk[16:])),
		})
	}
	return refs
}
