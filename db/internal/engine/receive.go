package engine

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
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

// Begin is for the commit that takes it.
func (r *reception) Begin() bool { return r.taken.CompareAndSwap(false, true) }

func (r *reception) Weight() int    { return len(r.Payload.Body) + 1024 }
func (r *reception) Finish(e error) { r.done <- e }

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
	r := &reception{Reception: in, headers: s.Box.SealHeaders(in.Event.ID, &in.Payload), done: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(ctx, receiveTime)
	defer cancel()
	if err := s.receiver.Submit(ctx, r); err != nil {
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
		return relay.Event{}, sqldb.Unavailable(ctx.Err())
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
	ctx, cancel := context.WithTimeout(ctx, sqldb.CommitTime)
	defer cancel()
	if err := s.Release(ctx, s.Now(), refs); err != nil {
		s.Log.Warn("deliveries that nobody holds will be due when their lease ends", "count", len(refs), "error", err)
	}
}

var (
	// takeKey returns the event that holds the key: this one, or an earlier
	// one whose hold has not expired.
	takeKey = sqldb.Returning(sqldb.Insertion("dedup_keys", `ON CONFLICT (source_id, key) DO UPDATE SET
		event_id = CASE WHEN dedup_keys.expires_at <= excluded.seen_at THEN excluded.event_id ELSE dedup_keys.event_id END,
		expires_at = CASE WHEN dedup_keys.expires_at <= excluded.seen_at THEN excluded.expires_at ELSE dedup_keys.expires_at END`,
		"", sqldb.ColumnsOf(sqldb.Cols(sqldb.KBytes, "source_id"), sqldb.Cols(sqldb.KText, "key"), sqldb.Cols(sqldb.KBytes, "event_id"), sqldb.Cols(sqldb.KInt, "expires_at seen_at"))),
		"dedup_keys.source_id, dedup_keys.key, dedup_keys.event_id", 3)
	insertEvent = sqldb.Insertion("events", "", "", sqldb.ColumnsOf(
		sqldb.Cols(sqldb.KBytes, "id project_id source_id"), sqldb.Cols(sqldb.KText, "event_type status"), sqldb.Cols(sqldb.KBool, "signature_valid"),
		sqldb.Cols(sqldb.KText, "verdict idempotency_key"), sqldb.Cols(sqldb.KBytes, "duplicate_of"), sqldb.Cols(sqldb.KBool, "is_test"),
		sqldb.Cols(sqldb.KText, "content_type"), sqldb.Cols(sqldb.KInt, "size received_at")))
	insertPayload = sqldb.Insertion("payloads", "", "", sqldb.ColumnsOf(sqldb.Cols(sqldb.KBytes, "event_id project_id"), sqldb.Cols(sqldb.KText, "method"),
		sqldb.Cols(sqldb.KBytes, "query"), sqldb.Cols(sqldb.KText, "ip"), sqldb.Cols(sqldb.KBytes, "headers routing body path")))
	// InsertDelivery makes deliveries that are not there yet.
	InsertDelivery = sqldb.Insertion("deliveries", "ON CONFLICT DO NOTHING", "id", sqldb.ColumnsOf(
		sqldb.Cols(sqldb.KBytes, "id project_id event_id endpoint_id source_id"), sqldb.Cols(sqldb.KText, "event_type status"),
		sqldb.Cols(sqldb.KInt, "lane attempts due_at fence lease_until lease_owner interrupted"),
		sqldb.Cols(sqldb.KText, "event_trigger"), sqldb.Cols(sqldb.KBytes, "replay_id replay_of"), sqldb.Cols(sqldb.KInt, "created_at")))
)

func (r *reception) deduplicates() bool {
	return r.Event.IdempotencyKey != "" && r.Event.Status != relay.EventRejected
}

// onceKey is the token of a request among the idempotency keys of its source.
func (r *reception) onceKey() string {
	if r.Once == "" {
		return ""
	}
	return "once:" + sqldb.Clean(r.Once)
}

// holdsKeys reports whether anything of a request must be there only once.
func (r *reception) holdsKeys() bool { return r.deduplicates() || r.Once != "" }

func receptionWorks(batch []*reception, count counters) []*sqldb.Work {
	events, payloads, deliveries := &sqldb.Work{Bulk: insertEvent}, &sqldb.Work{Bulk: insertPayload}, &sqldb.Work{Bulk: InsertDelivery}
	for _, r := range batch {
		e, p := &r.Event, &r.Payload
		events.Add(e.ID[:], e.ProjectID[:], e.SourceID[:], sqldb.Clean(e.EventType), string(e.Status), e.SignatureValid,
			string(e.Verdict), sqldb.TextArg(e.IdempotencyKey), sqldb.IDArg(e.DuplicateOf), e.IsTest, sqldb.Clean(e.ContentType),
			int64(e.Size), sqldb.Micros(e.ReceivedAt))
		payloads.Add(e.ID[:], e.ProjectID[:], sqldb.Clean(p.Method), sqldb.Blob([]byte(p.Query)), sqldb.Clean(p.IP),
			r.headers, sqldb.Blob(relay.EncodeRoutes(p.Routing)), sqldb.Blob(p.Body), sqldb.Blob([]byte(p.Path)))
		count.event(e)
		if e.Status == relay.EventDuplicate || e.Status == relay.EventRejected {
			continue
		}
		for i := range r.Deliveries {
			deliveries.Add(DeliveryArgs(&r.Deliveries[i], r.Lease)...)
		}
	}
	return []*sqldb.Work{events, payloads, deliveries}
}

// madeFence is the fence of a delivery that is made in flight.
const madeFence = 1

// DeliveryArgs is a new delivery as a row of insertDelivery: waiting, or in
// the hands of lease.
func DeliveryArgs(d *relay.Delivery, lease *Lease) []any {
	due, fence, until, owner := any(sqldb.Micros(d.NextAttemptAt)), int64(0), any(nil), any(nil)
	if d.InFlight {
		due, fence, until, owner = nil, madeFence, sqldb.Micros(lease.Until), lease.Owner
	}
	return []any{d.ID[:], d.ProjectID[:], d.EventID[:], d.EndpointID[:], d.SourceID[:], sqldb.Clean(d.EventType),
		string(d.Status), int64(d.Lane), int64(d.Attempts), due, fence, until, owner, int64(0),
		string(d.Trigger), sqldb.IDArg(d.ReplayID), sqldb.IDArg(d.ReplayOf), sqldb.Micros(d.CreatedAt)}
}

// deduplicate claims the batch's idempotency keys and turns what comes second
// into duplicates. Keys are taken in one order by every transaction, so that
// two cannot wait for each other.
func deduplicate(batch []*reception, run func(...*sqldb.Work) error) error {
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
			held = append(held, sqldb.Clean(r.Event.IdempotencyKey))
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
	claims := &sqldb.Work{Bulk: takeKey}
	for _, k := range keys {
		r := first[k]
		claims.Add(k.source[:], k.text, r.Event.ID[:], sqldb.Micros(r.DedupUntil), sqldb.Micros(r.Event.ReceivedAt))
	}
	if err := run(claims); err != nil {
		return err
	}
	holder := map[key]relay.ID{}
	for _, row := range claims.Out {
		holder[key{relay.ID(row[0].([]byte)), row[1].(string)}] = relay.ID(row[2].([]byte))
	}
	for _, r := range batch {
		k := key{r.Event.SourceID, sqldb.Clean(r.Event.IdempotencyKey)}
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
