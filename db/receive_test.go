package db

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// byBytes compares bodies quickly.
var byBytes = cmp.Comparer(bytes.Equal)

func TestReceiveKeepsEveryByte(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		every := make([]byte, 256)
		for i := range every {
			every[i] = byte(i)
		}
		cases := map[string]relay.Payload{
			"empty":            {Method: "POST"},
			"every byte":       {Method: "POST", Body: every, Query: string(every)},
			"NUL":              {Method: "PUT", Body: []byte("a\x00b\x00"), Query: "q=\x00"},
			"invalid UTF-8":    {Method: "POST", Body: []byte("\xff\xfe\xc3\x28"), Query: "\xff"},
			"lone surrogates":  {Method: "POST", Body: []byte(`{"a":"\ud800","b":"` + "\xed\xa0\x80" + `"}`)},
			"placeholders":     {Method: "POST", Body: []byte(`? ?? $1 ?0 'x' "y" \`), Query: "a=?&b=$1"},
			"five megabytes":   {Method: "POST", Body: bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)},
			"repeated headers": {Method: "POST", Headers: relay.Headers{{Name: "X-A", Value: "2"}, {Name: "x-a", Value: "1"}, {Name: "X-A", Value: "\xff\x00"}, {Name: "", Value: ""}}},
		}
		var ids []relay.ID
		for name, payload := range cases {
			in := w.reception(e)
			payload.IP, payload.Routing = "192.0.2.1", in.Payload.Routing
			in.Payload, in.Event.Size = payload, len(payload.Body)
			_, err := w.Receive(t.Context(), in)
			check(t, err)
			got, err := w.Payload(t.Context(), in.Event.ID)
			check(t, err)
			if payload.Body == nil {
				payload.Body = []byte{}
			}
			if diff := cmp.Diff(payload, got, byBytes); diff != "" {
				t.Errorf("%s: %.500s", name, diff)
			}
			if diff := cmp.Diff(in.Event, w.event(t, in.Event.ID)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			ids = append(ids, in.Event.ID)
		}
		together, err := w.PayloadsOf(t.Context(), append(ids, relay.NewID()))
		check(t, err)
		equal(t, "events read together", len(together), len(cases))
		for _, id := range ids {
			alone, err := w.Payload(t.Context(), id)
			check(t, err)
			if diff := cmp.Diff(engine.EventPayload{Event: w.event(t, id), Payload: alone}, together[id], byBytes); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func TestReceiveCleansText(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		in := w.reception(w.addEndpoint(t))
		const dirty, cleaned = "a\x00b\xffc?", "a\uFFFDb\uFFFDc?"
		in.Event.EventType, in.Event.ContentType, in.Event.IdempotencyKey = dirty, dirty, dirty
		in.Deliveries[0].EventType, in.DedupUntil = dirty, w.Now().Add(time.Hour)
		_, err := w.Receive(t.Context(), in)
		check(t, err)
		got := w.event(t, in.Event.ID)
		equal(t, "event type", got.EventType, cleaned)
		equal(t, "content type", got.ContentType, cleaned)
		equal(t, "idempotency key", got.IdempotencyKey, cleaned)
		equal(t, "delivery's event type", w.delivery(t, in.Deliveries[0].ID).EventType, cleaned)
		for _, f := range []lists.EventFilter{{EventType: dirty}, {IdempotencyKey: dirty}, {Q: "a\x00b\xff"}} {
			found, err := w.Events(t.Context(), w.project, f, sqldb.Page{})
			check(t, err)
			equal(t, fmt.Sprintf("events found by %+v", f), len(found.Rows), 1)
		}
		equal(t, "keys of events without one", number(t, w.Store, "SELECT count(*) FROM events WHERE idempotency_key = ''"), 0)
	})
}

func TestReceiveSharesCommits(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		poison := w.receive(t, e) // its id is taken now
		const many = 500
		var wait sync.WaitGroup
		errs := make([]error, many+1)
		for i := range errs {
			in := w.reception(e)
			if i == many/2 {
				in.Event.ID = poison.Event.ID
			}
			wait.Go(func() { _, errs[i] = w.Receive(t.Context(), in) })
		}
		wait.Wait()
		for i, err := range errs {
			if i == many/2 {
				wantKind(t, err, relay.KindConflict)
			} else if err != nil {
				t.Errorf("item %d: %v", i, err)
			}
		}
		equal(t, "events", number(t, w.Store, "SELECT count(*) FROM events"), many+1)
		equal(t, "payloads", number(t, w.Store, "SELECT count(*) FROM payloads"), many+1)
		equal(t, "deliveries", number(t, w.Store, "SELECT count(*) FROM deliveries"), many+1)
		stats, err := w.Stats(t.Context(), engine.StatsQuery{ProjectID: w.project, From: w.Now().Add(-time.Hour), To: w.Now().Add(time.Hour), Step: time.Minute})
		check(t, err)
		equal(t, "counted events", stats.Total.Events, many+1)
	})
}

// keyed is a reception with an idempotency key.
func (w *world) keyed(key string, e *relay.Endpoint) engine.Reception {
	in := w.reception(e)
	in.Event.IdempotencyKey, in.DedupUntil = key, in.Event.ReceivedAt.Add(24*time.Hour)
	return in
}

func TestDeduplicateParallelCopies(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		stores := []*Store{w.Store}
		if w.PG {
			stores = append(stores, w.beside(t))
		}
		const copies = 200
		var wait sync.WaitGroup
		got := make([]relay.Event, copies)
		for i := range got {
			in := w.keyed("k", e)
			wait.Go(func() {
				var err error
				if got[i], err = stores[i%len(stores)].Receive(t.Context(), in); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		var first relay.ID
		for _, ev := range got {
			if ev.Status == relay.EventForwarding {
				if !first.IsZero() {
					t.Error("two firsts")
				}
				first = ev.ID
			}
		}
		for _, ev := range got {
			stored := w.event(t, ev.ID)
			equal(t, "stored status", stored.Status, ev.Status)
			if ev.ID != first && (ev.Status != relay.EventDuplicate || stored.DuplicateOf != first) {
				t.Errorf("%s is a %s of %s, want a duplicate of %s", ev.ID, ev.Status, stored.DuplicateOf, first)
			}
		}
		equal(t, "deliveries", number(t, w.Store, "SELECT count(*) FROM deliveries"), 1)
		equal(t, "deliveries of the first", number(t, w.Store, "SELECT count(*) FROM deliveries WHERE event_id = ?", first), 1)
	})
}

func TestDeduplicateManyKeysOnManyStores(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		stores := []*Store{w.Store}
		if w.PG {
			stores = append(stores, w.beside(t))
		}
		var wait sync.WaitGroup
		for i := range 600 {
			in := w.keyed(fmt.Sprint("key ", i%30), e)
			wait.Go(func() {
				if _, err := stores[i%len(stores)].Receive(t.Context(), in); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		equal(t, "firsts", number(t, w.Store, "SELECT count(*) FROM events WHERE status = 'forwarding'"), 30)
		equal(t, "duplicates", number(t, w.Store, "SELECT count(*) FROM events WHERE status = 'duplicate'"), 570)
	})
}

func TestDeduplicate(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		status := func(in engine.Reception) relay.EventStatus {
			t.Helper()
			ev, err := w.Receive(t.Context(), in)
			check(t, err)
			return ev.Status
		}
		rejected := w.keyed("a", e)
		rejected.Event.Status, rejected.Event.SignatureValid, rejected.Event.Verdict = relay.EventRejected, false, relay.VerdictBadSignature
		equal(t, "a rejected event", status(rejected), relay.EventRejected)
		equal(t, "the first after a rejected one", status(w.keyed("a", e)), relay.EventForwarding)
		equal(t, "the second", status(w.keyed("a", e)), relay.EventDuplicate)
		equal(t, "another key", status(w.keyed("A", e)), relay.EventForwarding)
		elsewhere := w.keyed("a", e)
		elsewhere.Event.SourceID = w.addSource(t, w.project).ID
		equal(t, "another source", status(elsewhere), relay.EventForwarding)
		equal(t, "no key", status(w.reception(e)), relay.EventForwarding)
		equal(t, "no key again", status(w.reception(e)), relay.EventForwarding)
		w.clock.advance(23 * time.Hour)
		equal(t, "within the window", status(w.keyed("a", e)), relay.EventDuplicate)
		w.clock.advance(2 * time.Hour)
		equal(t, "after the window", status(w.keyed("a", e)), relay.EventForwarding)
		equal(t, "after that", status(w.keyed("a", e)), relay.EventDuplicate)
		long := strings.Repeat("k", 255)
		equal(t, "a long key", status(w.keyed(long, e)), relay.EventForwarding)
		equal(t, "the long key again", status(w.keyed(long, e)), relay.EventDuplicate)
	})
}

func TestReceiveInFlight(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		in := w.reception(e)
		in.Deliveries[0].InFlight = true
		in.Lease = &engine.Lease{Owner: 5, Until: w.Now().Add(time.Minute)}
		_, err := w.Receive(t.Context(), in)
		check(t, err)
		d := w.delivery(t, in.Deliveries[0].ID)
		if !d.InFlight || !d.NextAttemptAt.IsZero() {
			t.Errorf("in flight %v, due %v", d.InFlight, d.NextAttemptAt)
		}
		equal(t, "claims", len(claimFrom(t, w.Store, 10, e)), 0)
		c := engine.Claim{DeliveryID: d.ID, Fence: 1, ProjectID: w.project, EventID: in.Event.ID, EndpointID: e.ID}
		equal(t, "stale", record(t, w.Store, outcome(w.Store, c, relay.DeliveryDelivered)), false)
		equal(t, "status", w.event(t, in.Event.ID).Status, relay.EventDelivered)
	})
}
