package db

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// Reception is a request that came in, with what was decided about it.
type Reception struct {
	Event      relay.Event
	Payload    relay.Payload
	Deliveries []relay.Delivery // to be made unless the event is a duplicate
	// Once is a token that only one event of the source may carry. Another one is
	// rejected, unless it repeats the first by its idempotency key.
	Once string
	// DedupUntil is until when the idempotency key, if there is one, makes
	// later events duplicates.
	DedupUntil time.Time
	// Lease is whose hands the deliveries marked InFlight are made in: they
	// are sent without a claim.
	Lease *Lease
}

// Lease is a worker's hold on deliveries: whose and until when.
type Lease struct {
	Owner int64
	Until time.Time
}

// reception is a Reception on its way into the database.
type reception struct {
	Reception
	headers []byte // of the payload, sealed
	done    chan error
	taken   atomic.Bool // by the commit, or by a caller who gave up before it
}

func (r *reception) weight() int    { return len(r.Payload.Body) + 1024 }
func (r *reception) finish(e error) { r.done <- e }

// Receive commits an event, its payload and its deliveries, and returns when
// they are on disk. If the event's idempotency key was seen before it is kept
// as a duplicate without deliveries: the event returned says which it became.
// Deliveries made are those of in when the returned event is no duplicate.
//
// It waits for receiveTime at most. If the commit has not begun by then the event
// is not kept. If it has, nobody knows: should it succeed, the event is there
// although the caller was told to try again, and what was to be sent at once is
// due.
func (s *Store) Receive(ctx context.Context, in Reception) (relay.Event, error) {
	r := &reception{Reception: in, headers: s.box.sealHeaders(in.Event.ID, &in.Payload), done: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(ctx, receiveTime)
	defer cancel()
	if err := s.receiver.submit(ctx, r); err != nil {
		return relay.Event{}, err
	}
	select {
	case err := <-r.done:
		if err != nil {
			return relay.Event{}, err
		}
		return r.Event, nil
	case <-ctx.Done():
		if !r.taken.CompareAndSwap(false, true) {
			go s.letGo(context.WithoutCancel(ctx), r)
		}
		return relay.Event{}, unavailable(ctx.Err())
	}
}

// receiveTime is how long a request waits for the commit of its event.
const receiveTime = 1800 * time.Millisecond

// letGo makes deliveries due that nobody waits for, once they are committed.
func (s *Store) letGo(ctx context.Context, r *reception) {
	if err := <-r.done; err != nil {
		return
	}
	var refs []ClaimRef
	for i := range r.Deliveries {
		if d := &r.Deliveries[i]; d.InFlight {
			refs = append(refs, ClaimRef{d.ID, madeFence})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, commitTime)
	defer cancel()
	if err := s.Release(ctx, s.Now(), refs); err != nil {
		s.log.Warn("deliveries that nobody holds will be due when their lease ends", "count", len(refs), "error", err)
	}
}

var (
	// takeKey returns the event that holds the key: this one, or an earlier
	// one whose hold has not expired.
	takeKey = returning(insertion("dedup_keys", `ON CONFLICT (source_id, key) DO UPDATE SET
		event_id = CASE WHEN dedup_keys.expires_at <= excluded.seen_at THEN excluded.event_id ELSE dedup_keys.event_id END,
		expires_at = CASE WHEN dedup_keys.expires_at <= excluded.seen_at THEN excluded.expires_at ELSE dedup_keys.expires_at END`,
		"", columnsOf(cols(kBytes, "source_id"), cols(kText, "key"), cols(kBytes, "event_id"), cols(kInt, "expires_at seen_at"))),
		"dedup_keys.source_id, dedup_keys.key, dedup_keys.event_id", 3)
	insertEvent = insertion("events", "", "", columnsOf(
		cols(kBytes, "id project_id source_id"), cols(kText, "event_type status"), cols(kBool, "signature_valid"),
		cols(kText, "verdict idempotency_key"), cols(kBytes, "duplicate_of"), cols(kBool, "is_test"),
		cols(kText, "content_type"), cols(kInt, "size received_at")))
	insertPayload = insertion("payloads", "", "", columnsOf(cols(kBytes, "event_id project_id"), cols(kText, "method"),
		cols(kBytes, "query"), cols(kText, "ip"), cols(kBytes, "headers routing body path")))
	insertDelivery = insertion("deliveries", "ON CONFLICT DO NOTHING", "id", columnsOf(
		cols(kBytes, "id project_id event_id endpoint_id source_id"), cols(kText, "event_type status"),
		cols(kInt, "lane attempts due_at fence lease_until lease_owner interrupted"),
		cols(kText, "event_trigger"), cols(kBytes, "replay_id replay_of"), cols(kInt, "created_at")))
)

func (r *reception) deduplicates() bool {
	return r.Event.IdempotencyKey != "" && r.Event.Status != relay.EventRejected
}

// onceKey is the token of a request among the idempotency keys of its source.
func (r *reception) onceKey() string {
	if r.Once == "" {
		return ""
	}
	return "once:" + clean(r.Once)
}

// holdsKeys reports whether anything of a request must be there only once.
func (r *reception) holdsKeys() bool { return r.deduplicates() || r.Once != "" }

func receptionWorks(batch []*reception, count counters) []*work {
	events, payloads, deliveries := &work{bulk: insertEvent}, &work{bulk: insertPayload}, &work{bulk: insertDelivery}
	for _, r := range batch {
		e, p := &r.Event, &r.Payload
		events.add(e.ID[:], e.ProjectID[:], e.SourceID[:], clean(e.EventType), string(e.Status), e.SignatureValid,
			string(e.Verdict), textArg(e.IdempotencyKey), idArg(e.DuplicateOf), e.IsTest, clean(e.ContentType),
			int64(e.Size), micros(e.ReceivedAt))
		payloads.add(e.ID[:], e.ProjectID[:], clean(p.Method), blob([]byte(p.Query)), clean(p.IP),
			r.headers, blob(relay.EncodeRoutes(p.Routing)), blob(p.Body), blob([]byte(p.Path)))
		count.event(e)
		if e.Status == relay.EventDuplicate || e.Status == relay.EventRejected {
			continue
		}
		for i := range r.Deliveries {
			deliveries.add(deliveryArgs(&r.Deliveries[i], r.Lease)...)
		}
	}
	return []*work{events, payloads, deliveries}
}

// madeFence is the fence of a delivery that is made in flight.
const madeFence = 1

// deliveryArgs is a new delivery as a row of insertDelivery: waiting, or in
// the hands of lease.
func deliveryArgs(d *relay.Delivery, lease *Lease) []any {
	due, fence, until, owner := any(micros(d.NextAttemptAt)), int64(0), any(nil), any(nil)
	if d.InFlight {
		due, fence, until, owner = nil, madeFence, micros(lease.Until), lease.Owner
	}
	return []any{d.ID[:], d.ProjectID[:], d.EventID[:], d.EndpointID[:], d.SourceID[:], clean(d.EventType),
		string(d.Status), int64(d.Lane), int64(d.Attempts), due, fence, until, owner, int64(0),
		string(d.Trigger), idArg(d.ReplayID), idArg(d.ReplayOf), micros(d.CreatedAt)}
}

// deduplicate claims the batch's idempotency keys and turns what comes second
// into duplicates. Keys are taken in one order by every transaction, so that
// two cannot wait for each other.
func deduplicate(batch []*reception, run func(...*work) error) error {
	type key struct {
		source relay.ID
		text   string
	}
	first := map[key]*reception{}
	var keys []key
	for _, r := range batch {
		r.undoDuplicate()
		var held []string
		if r.deduplicates() {
			held = append(held, clean(r.Event.IdempotencyKey))
		}
		if r.Once != "" {
			held = append(held, r.onceKey())
		}
		for _, text := range held {
			k := key{r.Event.SourceID, text}
			if first[k] == nil {
				first[k] = r
				keys = append(keys, k)
			}
		}
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(slices.Compare(a.source[:], b.source[:]), cmp.Compare(a.text, b.text))
	})
	claims := &work{bulk: takeKey}
	for _, k := range keys {
		r := first[k]
		claims.add(k.source[:], k.text, r.Event.ID[:], micros(r.DedupUntil), micros(r.Event.ReceivedAt))
	}
	if err := run(claims); err != nil {
		return err
	}
	holder := map[key]relay.ID{}
	for _, row := range claims.out {
		holder[key{relay.ID(row[0].([]byte)), row[1].(string)}] = relay.ID(row[2].([]byte))
	}
	for _, r := range batch {
		k := key{r.Event.SourceID, clean(r.Event.IdempotencyKey)}
		if h, held := holder[k]; held && h != r.Event.ID && r.deduplicates() {
			r.Event.Status, r.Event.DuplicateOf = relay.EventDuplicate, h
		} else if h, held := holder[key{r.Event.SourceID, r.onceKey()}]; held && h != r.Event.ID && r.Once != "" {
			r.Event.Status, r.Event.SignatureValid, r.Event.Verdict = relay.EventRejected, false, relay.VerdictUsedToken
		}
	}
	return nil
}

// undoDuplicate forgets what an attempt decided that was rolled back.
func (r *reception) undoDuplicate() {
	if r.Event.Verdict == relay.VerdictUsedToken {
		r.Event.Status, r.Event.SignatureValid, r.Event.Verdict = relay.EventDuplicate, true, relay.VerdictValid
	}
	if r.Event.Status != relay.EventDuplicate {
		return
	}
	r.Event.DuplicateOf = relay.ID{}
	r.Event.Status = relay.EventForwarding
	if len(r.Deliveries) == 0 {
		r.Event.Status = relay.EventUnmatched
	}
}
