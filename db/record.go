package db

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// Recording is what came of a claim.
type Recording struct {
	Claim   Claim
	Attempt relay.Attempt
	// What the delivery becomes.
	Status        relay.DeliveryStatus
	Lane          relay.Lane
	NextAttemptAt time.Time // zero if final
	LastError     string
	// Background says that it may be recorded a few milliseconds later.
	Background bool
	// Again says that this was tried before: it may have been written, and only the
	// answer was lost.
	Again bool
}

type recording struct {
	Recording
	stale bool
	done  func(stale bool, err error)
}

func (r *recording) weight() int    { return len(r.Attempt.ResponseBody) + 1024 }
func (r *recording) finish(e error) { r.done(r.stale, e) }

// Record writes an attempt and what it makes of its delivery, in a commit
// shared with others, and calls done when it is on disk. A recording whose
// claim was taken over meanwhile is stale: its attempt is kept, its delivery
// is left alone.
func (s *Store) Record(ctx context.Context, in Recording, done func(stale bool, err error)) {
	r := &recording{Recording: in, done: done}
	to := s.recorder
	if in.Background {
		to = s.replayed.batchWriter
	}
	if err := to.submit(ctx, r); err != nil {
		done(false, err)
	}
}

var (
	// settleDelivery says of the lease what no index of leases is for: the
	// planner is to find rows by their key.
	settleDelivery = update("deliveries", columnsOf(cols(kText, "status"),
		cols(kInt, "lane attempts due_at last_response_status"), cols(kText, "last_response_excerpt last_error"), cols(kInt, "delivered_at"), cols(kText, "cause")),
		"lease_until = NULL, lease_owner = NULL, interrupted = 0, died_alone = 0", columnsOf(cols(kBytes, "id project_id"), cols(kInt, "fence")), "coalesce(lease_until, 0) > 0")
	insertAttempt = insertion("attempts", "ON CONFLICT DO NOTHING", "id", columnsOf(
		cols(kBytes, "delivery_id id project_id event_id endpoint_id"), cols(kInt, "number"), cols(kText, "outcome"),
		cols(kInt, "started_at duration"), cols(kText, "url"), cols(kBytes, "request_headers"), cols(kInt, "response_status"),
		cols(kBytes, "response_headers response_body"), cols(kBool, "truncated"), cols(kText, "error")))
	eventKey = cols(kBytes, "project_id id")
	// lockEvents makes transactions that settle deliveries of one event wait
	// for each other, so that the last of them sees all outcomes.
	lockEvents = &bulk{pg: "SELECT 1 FROM events e, " + unnest(eventKey) + " WHERE e.project_id = v.project_id AND e.id = v.id ORDER BY e.id FOR UPDATE OF e",
		columns: eventKey, key: -1}
	sumEvents = &bulk{
		sqlite: "UPDATE events SET status = " + eventSum + " WHERE project_id = ? AND id = ? AND status NOT IN ('rejected', 'duplicate')",
		pg: "UPDATE events SET status = " + eventSum + " FROM " + unnest(eventKey) +
			" WHERE events.project_id = v.project_id AND events.id = v.id AND status NOT IN ('rejected', 'duplicate')",
		columns: eventKey, key: -1,
	}
	hotBulks = []*bulk{takeKey, insertEvent, insertPayload, insertDelivery, addStats, settleDelivery, insertAttempt, sumEvents,
		addReplayCounts, pairFacts, moveReplay, savePlan, markReplayed, forwardEvents, insertPairs}
)

// eventSum is an event's status as the sum of its deliveries that were not
// replayed. It says in SQL what relay.EventStatusOf says.
const eventSum = `(SELECT CASE WHEN count(*) FILTER (WHERE d.status IN ('pending', 'retrying')) > 0 THEN 'forwarding'
	WHEN count(*) FILTER (WHERE d.status = 'dlq') > 0 THEN 'failed'
	WHEN count(*) FILTER (WHERE d.status = 'delivered') > 0 THEN 'delivered'
	WHEN count(*) > 0 THEN 'received' ELSE 'unmatched' END FROM deliveries d WHERE d.event_id = events.id AND d.replayed_by IS NULL)`

// excerptBytes is how much of an answer a delivery shows in lists.
const excerptBytes = 256

// recordings are what a commit has to record.
type recordings struct {
	of          []*recording
	settle, log *work
	finals      []rowKey
}

func recordingsOf(batch []*recording) *recordings {
	rs := &recordings{of: batch, settle: &work{bulk: settleDelivery}, log: &work{bulk: insertAttempt}}
	for _, r := range batch {
		a := &r.Attempt
		var delivered any
		if r.Status == relay.DeliveryDelivered {
			delivered = micros(a.StartedAt.Add(a.Duration))
		}
		attempts := int64(a.Number)
		if a.Outcome == relay.OutcomeInterrupted {
			attempts-- // it costs no retry
		}
		excerpt := a.ResponseBody[:min(len(a.ResponseBody), excerptBytes)]
		rs.settle.add(string(r.Status), int64(r.Lane), attempts, intArg(micros(r.NextAttemptAt)), intArg(int64(a.ResponseStatus)),
			textArg(string(excerpt)), textArg(r.LastError), delivered,
			textArg(relay.Cause(a.Outcome, a.ResponseStatus, a.ResponseBody)), r.Claim.DeliveryID[:], a.ProjectID[:], r.Claim.Fence)
		rs.log.add(attemptArgs(a)...)
		if r.Status.Final() {
			rs.finals = append(rs.finals, rowKey{a.ProjectID, a.EventID})
		}
	}
	return rs
}

// inPhases reports whether what is counted depends on what is written: some were
// tried before, or are of a replay job.
func (rs *recordings) inPhases() bool {
	return slices.ContainsFunc(rs.of, func(r *recording) bool { return r.Again || !r.Claim.ReplayID.IsZero() })
}

// works are the writes where nothing depends on others.
func (rs *recordings) works(count counters) []*work {
	for _, r := range rs.of {
		count.attempt(&r.Attempt, r.Status)
	}
	return append([]*work{rs.settle, rs.log}, sumWorks(rs.finals)...)
}

// begin writes them as far as others depend on it, and answers the rest: what is in
// the log already is not counted again, and a stale one moves no delivery.
func (rs *recordings) begin(run func(...*work) error, count counters, moves replayMoves) ([]*work, error) {
	rs.log.hit, rs.settle.hit = nil, nil
	if err := run(rs.settle, rs.log); err != nil {
		return nil, err
	}
	for i, r := range rs.of {
		if rs.log.hit[i] {
			count.attempt(&r.Attempt, r.Status)
		}
		if rs.settle.hit[i] {
			moves.move(r.Claim.ReplayID, r.Claim.Status, r.Status)
		}
	}
	return sumWorks(rs.finals), nil
}

// note tells who was late.
func (rs *recordings) note() {
	for i, r := range rs.of {
		r.stale = !rs.settle.hit[i]
	}
}

// commitReplayed writes recordings that can wait. Its counters come last, for
// live recordings wait for these rows.
func (s *Store) commitReplayed(ctx context.Context, batch []commitItem) error {
	out := make([]*recording, len(batch))
	for i, item := range batch {
		out[i] = item.(*recording)
	}
	return s.commitBatch(ctx, synced, nil, recordingsOf(out), nil)
}

// sumWorks brings the status of events up to date with their deliveries.
func sumWorks(events []rowKey) []*work {
	if len(events) == 0 {
		return nil
	}
	slices.SortFunc(events, func(a, b rowKey) int { return bytes.Compare(a.id[:], b.id[:]) })
	lock, sum := &work{bulk: lockEvents}, &work{bulk: sumEvents}
	for _, k := range slices.Compact(events) {
		lock.add(k.project[:], k.id[:])
		sum.add(k.project[:], k.id[:])
	}
	return []*work{lock, sum}
}

func attemptArgs(a *relay.Attempt) []any {
	return []any{a.DeliveryID[:], a.ID[:], a.ProjectID[:], a.EventID[:], a.EndpointID[:], int64(a.Number),
		string(a.Outcome), micros(a.StartedAt), a.Duration.Microseconds(), clean(a.URL), blob(relay.EncodeHeaders(a.RequestHeaders)),
		intArg(int64(a.ResponseStatus)), blob(relay.EncodeHeaders(a.ResponseHeaders)), blob(a.ResponseBody), a.Truncated, clean(a.Error)}
}
