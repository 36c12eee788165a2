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
	DeliveryID relay.ID
	Fence      int64
	Attempt    relay.Attempt
	// What the delivery becomes.
	Status        relay.DeliveryStatus
	Lane          relay.Lane
	NextAttemptAt time.Time // zero if final
	LastError     string
	// Background says that it may be recorded a few milliseconds later.
	Background bool
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
	insertAttempt = insertion("attempts", "ON CONFLICT DO NOTHING", "", columnsOf(
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
		pairFacts, moveReplay, savePlan, markReplayed, forwardEvents, insertPairs}
)

// eventSum is an event's status as the sum of its deliveries that were not
// replayed. It says in SQL what relay.EventStatusOf says.
const eventSum = `(SELECT CASE WHEN count(*) FILTER (WHERE d.status IN ('pending', 'retrying')) > 0 THEN 'forwarding'
	WHEN count(*) FILTER (WHERE d.status = 'dlq') > 0 THEN 'failed'
	WHEN count(*) FILTER (WHERE d.status = 'delivered') > 0 THEN 'delivered'
	WHEN count(*) > 0 THEN 'received' ELSE 'unmatched' END FROM deliveries d WHERE d.event_id = events.id AND d.replayed_by IS NULL)`

// excerptBytes is how much of an answer a delivery shows in lists.
const excerptBytes = 256

// recordingWorks are the writes for a batch; settled has a hit for each
// recording that is not stale.
func recordingWorks(batch []*recording, count counters) (works []*work, settled *work) {
	settle, log := &work{bulk: settleDelivery}, &work{bulk: insertAttempt}
	var finals []rowKey
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
		settle.add(string(r.Status), int64(r.Lane), attempts, intArg(micros(r.NextAttemptAt)), intArg(int64(a.ResponseStatus)),
			textArg(string(excerpt)), textArg(r.LastError), delivered,
			textArg(relay.Cause(a.Outcome, a.ResponseStatus, a.ResponseBody)), r.DeliveryID[:], a.ProjectID[:], r.Fence)
		log.add(attemptArgs(a)...)
		count.attempt(a, r.Status)
		if r.Status.Final() {
			finals = append(finals, rowKey{a.ProjectID, a.EventID})
		}
	}
	return append([]*work{settle, log}, sumWorks(finals)...), settle
}

// commitReplayed writes recordings that can wait. Its counters come last, for
// live recordings wait for these rows.
func (s *Store) commitReplayed(ctx context.Context, batch []commitItem) error {
	out := make([]*recording, len(batch))
	for i, item := range batch {
		out[i] = item.(*recording)
	}
	count := counters{}
	works, settled := recordingWorks(out, count)
	works = append(works, count.works()...)
	if err := s.hot.once(ctx, synced, works...); err != nil {
		return err
	}
	noteStale(out, settled)
	return nil
}

func noteStale(batch []*recording, settled *work) {
	for i, r := range batch {
		r.stale = !settled.hit[i]
	}
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
