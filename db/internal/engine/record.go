package engine

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
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

func (r *recording) Weight() int    { return len(r.Attempt.ResponseBody) + 1024 }
func (r *recording) Finish(e error) { r.done(r.stale, e) }

// Record writes an attempt and what it makes of its delivery, in a commit
// shared with others, and calls done when it is on disk. A recording whose
// claim was taken over meanwhile is stale: its attempt is kept, its delivery
// is left alone.
func (s *Store) Record(ctx context.Context, in Recording, done func(stale bool, err error)) {
	r := &recording{Recording: in, done: done}
	to := s.recorder
	if in.Background {
		to = s.replayed.BatchWriter
	}
	if err := to.Submit(ctx, r); err != nil {
		done(false, err)
	}
}

var (
	// settleDelivery says of the lease what no index of leases is for: the
	// planner is to find rows by their key.
	settleDelivery = sqldb.Update("deliveries", sqldb.ColumnsOf(sqldb.Cols(sqldb.KText, "status"),
		sqldb.Cols(sqldb.KInt, "lane attempts due_at last_response_status"), sqldb.Cols(sqldb.KText, "last_response_excerpt last_error"), sqldb.Cols(sqldb.KInt, "delivered_at"), sqldb.Cols(sqldb.KText, "cause")),
		"lease_until = NULL, lease_owner = NULL, interrupted = 0, died_alone = 0", sqldb.ColumnsOf(sqldb.Cols(sqldb.KBytes, "id project_id"), sqldb.Cols(sqldb.KInt, "fence")), "coalesce(lease_until, 0) > 0")
	insertAttempt = sqldb.Insertion("attempts", "ON CONFLICT DO NOTHING", "id", sqldb.ColumnsOf(
		sqldb.Cols(sqldb.KBytes, "delivery_id id project_id event_id endpoint_id"), sqldb.Cols(sqldb.KInt, "number"), sqldb.Cols(sqldb.KText, "outcome"),
		sqldb.Cols(sqldb.KInt, "started_at duration"), sqldb.Cols(sqldb.KText, "url"), sqldb.Cols(sqldb.KBytes, "request_headers"), sqldb.Cols(sqldb.KInt, "response_status"),
		sqldb.Cols(sqldb.KBytes, "response_headers response_body"), sqldb.Cols(sqldb.KBool, "truncated"), sqldb.Cols(sqldb.KText, "error")))
	// EventKey finds an event.
	EventKey = sqldb.Cols(sqldb.KBytes, "project_id id")
	// LockEvents makes transactions that settle deliveries of one event wait
	// for each other, so that the last of them sees all outcomes.
	LockEvents = &sqldb.Bulk{PG: "SELECT 1 FROM events e, " + sqldb.Unnest(EventKey) + " WHERE e.project_id = v.project_id AND e.id = v.id ORDER BY e.id FOR UPDATE OF e",
		Columns: EventKey, Key: -1}
	// SumEvents brings the status of events up to date with their deliveries.
	SumEvents = &sqldb.Bulk{
		Sqlite: "UPDATE events SET status = " + eventSum + " WHERE project_id = ? AND id = ? AND status NOT IN ('rejected', 'duplicate')",
		PG: "UPDATE events SET status = " + eventSum + " FROM " + sqldb.Unnest(EventKey) +
			" WHERE events.project_id = v.project_id AND events.id = v.id AND status NOT IN ('rejected', 'duplicate')",
		Columns: EventKey, Key: -1,
	}
	// EngineBulks are the bulk statements of this package.
	EngineBulks = []*sqldb.Bulk{takeKey, insertEvent, insertPayload, InsertDelivery, addStats, settleDelivery, insertAttempt, SumEvents, addReplayCounts}
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
	settle, log *sqldb.Work
	finals      []rowKey
}

func recordingsOf(batch []*recording) *recordings {
	rs := &recordings{of: batch, settle: &sqldb.Work{Bulk: settleDelivery}, log: &sqldb.Work{Bulk: insertAttempt}}
	for _, r := range batch {
		a := &r.Attempt
		var delivered any
		if r.Status == relay.DeliveryDelivered {
			delivered = sqldb.Micros(a.StartedAt.Add(a.Duration))
		}
		attempts := int64(a.Number)
		if a.Outcome == relay.OutcomeInterrupted {
			attempts-- // it costs no retry
		}
		excerpt := a.ResponseBody[:min(len(a.ResponseBody), excerptBytes)]
		rs.settle.Add(string(r.Status), int64(r.Lane), attempts, sqldb.IntArg(sqldb.Micros(r.NextAttemptAt)), sqldb.IntArg(int64(a.ResponseStatus)),
			sqldb.TextArg(string(excerpt)), sqldb.TextArg(r.LastError), delivered,
			sqldb.TextArg(relay.Cause(a.Outcome, a.ResponseStatus, a.ResponseBody)), r.Claim.DeliveryID[:], a.ProjectID[:], r.Claim.Fence)
		rs.log.Add(attemptArgs(a)...)
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
func (rs *recordings) works(count counters) []*sqldb.Work {
	for _, r := range rs.of {
		count.attempt(&r.Attempt, r.Status)
	}
	return append([]*sqldb.Work{rs.settle, rs.log}, sumWorks(rs.finals)...)
}

// begin writes them as far as others depend on it, and answers the rest: what is in
// the log already is not counted again, and a stale one moves no delivery.
func (rs *recordings) begin(run func(...*sqldb.Work) error, count counters, moves replayMoves) ([]*sqldb.Work, error) {
	rs.log.Hit, rs.settle.Hit = nil, nil
	if err := run(rs.settle, rs.log); err != nil {
		return nil, err
	}
	for i, r := range rs.of {
		if rs.log.Hit[i] {
			count.attempt(&r.Attempt, r.Status)
		}
		if rs.settle.Hit[i] {
			moves.move(r.Claim.ReplayID, r.Claim.Status, r.Status)
		}
	}
	return sumWorks(rs.finals), nil
}

// note tells who was late.
func (rs *recordings) note() {
	for i, r := range rs.of {
		r.stale = !rs.settle.Hit[i]
	}
}

// commitReplayed writes recordings that can wait. Its counters come last, for
// live recordings wait for these rows.
func (s *Store) commitReplayed(ctx context.Context, batch []sqldb.CommitItem) error {
	out := make([]*recording, len(batch))
	for i, item := range batch {
		out[i] = item.(*recording)
	}
	return s.commitBatch(ctx, sqldb.Synced, nil, recordingsOf(out), nil)
}

// sumWorks brings the status of events up to date with their deliveries.
func sumWorks(events []rowKey) []*sqldb.Work {
	if len(events) == 0 {
		return nil
	}
	slices.SortFunc(events, func(a, b rowKey) int { return bytes.Compare(a.id[:], b.id[:]) })
	lock, sum := &sqldb.Work{Bulk: LockEvents}, &sqldb.Work{Bulk: SumEvents}
	for _, k := range slices.Compact(events) {
		lock.Add(k.project[:], k.id[:])
		sum.Add(k.project[:], k.id[:])
	}
	return []*sqldb.Work{lock, sum}
}

func attemptArgs(a *relay.Attempt) []any {
	return []any{a.DeliveryID[:], a.ID[:], a.ProjectID[:], a.EventID[:], a.EndpointID[:], int64(a.Number),
		string(a.Outcome), sqldb.Micros(a.StartedAt), a.Duration.Microseconds(), sqldb.Clean(a.URL), sqldb.Blob(relay.EncodeHeaders(a.RequestHeaders)),
		sqldb.IntArg(int64(a.ResponseStatus)), sqldb.Blob(relay.EncodeHeaders(a.ResponseHeaders)), sqldb.Blob(a.ResponseBody), a.Truncated, sqldb.Clean(a.Error)}
}

// rowKey is the key of an event or of a delivery.
type rowKey struct{ project, id relay.ID }
