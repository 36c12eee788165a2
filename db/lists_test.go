package db

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

func TestPagesLoseAndRepeatNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		var want []relay.ID
		for range 23 {
			want = append(want, w.receive(t, e).Event.ID)
		}
		slices.Reverse(want)
		var events, deliveries []relay.ID
		p, q := sqldb.Page{Limit: 4}, sqldb.Page{Limit: 4}
		for {
			es, err := w.Events(t.Context(), w.project, lists.EventFilter{SourceID: w.source.ID}, p)
			check(t, err)
			ds, err := w.Deliveries(t.Context(), w.project, lists.DeliveryFilter{EndpointID: e.ID, Status: relay.DeliveryPending}, q)
			check(t, err)
			for _, ev := range es.Rows {
				events = append(events, ev.ID)
			}
			for _, d := range ds.Rows {
				deliveries = append(deliveries, d.EventID)
			}
			w.receive(t, e) // newer rows do not shift the pages
			if p.Cursor, q.Cursor = es.Next, ds.Next; q.Cursor == "" {
				break
			}
		}
		if !slices.Equal(events, want) {
			t.Errorf("events: got %d, want %d", len(events), len(want))
		}
		if !slices.Equal(deliveries, want) {
			t.Errorf("deliveries: got %d, want %d", len(deliveries), len(want))
		}
	})
}

func TestPageEndsExactly(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for range 4 {
			w.receive(t)
		}
		for limit, next := range map[int]bool{3: true, 4: false, 5: false, 0: false, -1: false} {
			page, err := w.Events(t.Context(), w.project, lists.EventFilter{}, sqldb.Page{Limit: limit})
			check(t, err)
			equal(t, fmt.Sprint("more after ", limit), page.Next != "", next)
		}
		equal(t, "limit of 0", sqldb.Page{}.Most(), 25)
		equal(t, "limit of a million", sqldb.Page{Limit: 1e6}.Most(), 100)
	})
}

func TestCursorsAreBoundToTheirList(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		other := w.addProject(t)
		for range 3 {
			w.receive(t)
		}
		page, err := w.Events(t.Context(), w.project, lists.EventFilter{}, sqldb.Page{Limit: 1})
		check(t, err)
		good := page.Next
		_, err = w.Events(t.Context(), w.project, lists.EventFilter{}, sqldb.Page{Limit: 50, Cursor: good})
		check(t, err)
		no := false
		for _, f := range []lists.EventFilter{{EventType: "a"}, {SourceID: w.source.ID}, {Status: relay.EventFailed}, {SignatureValid: &no}, {Q: "x"},
			{IdempotencyKey: "k"}, {From: w.Now()}, {To: w.Now()}, {Since: relay.NewID()}} {
			_, err := w.Events(t.Context(), w.project, f, sqldb.Page{Cursor: good})
			wantKind(t, err, relay.KindInvalidRequest)
		}
		_, err = w.Events(t.Context(), other, lists.EventFilter{}, sqldb.Page{Cursor: good})
		wantKind(t, err, relay.KindInvalidRequest)
		_, err = w.Deliveries(t.Context(), w.project, lists.DeliveryFilter{}, sqldb.Page{Cursor: good})
		wantKind(t, err, relay.KindInvalidRequest)
		_, err = w.Endpoints(t.Context(), w.project, sqldb.Page{Cursor: good})
		wantKind(t, err, relay.KindInvalidRequest)
		for _, bad := range []string{"x", good + "A", good[1:], "%00", "\x00", "' OR 1=1--", string(bytes.Repeat([]byte("A"), 10000))} {
			_, err = w.Events(t.Context(), w.project, lists.EventFilter{}, sqldb.Page{Cursor: bad})
			wantKind(t, err, relay.KindInvalidRequest)
		}
	})
}

func TestEventFilters(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e, source := w.addEndpoint(t), w.addSource(t, w.project)
		var all []engine.Reception
		add := func(change func(*engine.Reception)) relay.ID {
			t.Helper()
			w.clock.advance(time.Minute)
			in := w.reception(e)
			change(&in)
			_, err := w.Receive(t.Context(), in)
			check(t, err)
			all = append(all, in)
			return in.Event.ID
		}
		plain := add(func(*engine.Reception) {})
		typed := add(func(r *engine.Reception) { r.Event.EventType = "customer.created" })
		sourced := add(func(r *engine.Reception) { r.Event.SourceID = source.ID })
		keyed := add(func(r *engine.Reception) { r.Event.IdempotencyKey, r.DedupUntil = "key?1", w.Now().Add(time.Hour) })
		invalid := add(func(r *engine.Reception) {
			r.Event.Status, r.Event.SignatureValid, r.Event.Verdict = relay.EventRejected, false, relay.VerdictBadSignature
		})
		body := add(func(r *engine.Reception) { r.Payload.Body = []byte("\x00needle' OR 1=1--\xff") })
		order := relay.NewID().UUID()
		traced := add(func(r *engine.Reception) {
			r.Payload.Headers = relay.Headers{{Name: "X-Trace", Value: "trace-77"}, {Name: "X-Api-Key", Value: "hidden"}}
			r.Payload.Body = []byte(`{"order":"` + order + `","name":"zo\u00eb \u65e5\u672c","url":"https:\/\/a\/b","event":"` + plain.UUID() + `"}`)
		})
		yes, no := true, false
		at := func(i int) time.Time { return all[i].Event.ReceivedAt }
		for name, c := range map[string]struct {
			f    lists.EventFilter
			want []relay.ID
		}{
			"none":           {lists.EventFilter{}, []relay.ID{traced, body, invalid, keyed, sourced, typed, plain}},
			"type":           {lists.EventFilter{EventType: "customer.created"}, []relay.ID{typed}},
			"source":         {lists.EventFilter{SourceID: source.ID}, []relay.ID{sourced}},
			"key":            {lists.EventFilter{IdempotencyKey: "key?1"}, []relay.ID{keyed}},
			"invalid":        {lists.EventFilter{SignatureValid: &no}, []relay.ID{invalid}},
			"valid, typed":   {lists.EventFilter{SignatureValid: &yes, EventType: "customer.created"}, []relay.ID{typed}},
			"status":         {lists.EventFilter{Status: relay.EventRejected}, []relay.ID{invalid}},
			"from":           {lists.EventFilter{From: at(4)}, []relay.ID{traced, body, invalid}},
			"to":             {lists.EventFilter{To: at(2)}, []relay.ID{typed, plain}},
			"between":        {lists.EventFilter{From: at(1), To: at(1).Add(time.Microsecond)}, []relay.ID{typed}},
			"before all":     {lists.EventFilter{To: time.Unix(0, 0)}, nil},
			"after 1970":     {lists.EventFilter{From: time.Unix(0, 0), EventType: "customer.created"}, []relay.ID{typed}},
			"since":          {lists.EventFilter{Since: keyed}, []relay.ID{traced, body, invalid}},
			"q type":         {lists.EventFilter{Q: "omer.cre"}, []relay.ID{typed}},
			"q key":          {lists.EventFilter{Q: "key?1"}, []relay.ID{keyed}},
			"q part of key":  {lists.EventFilter{Q: "KEY?"}, []relay.ID{keyed}},
			"q body":         {lists.EventFilter{Q: "\x00needle' OR"}, []relay.ID{body}},
			"q invalid text": {lists.EventFilter{Q: "--\xff"}, []relay.ID{body}},
			"q injection":    {lists.EventFilter{Q: "' OR 1=1--"}, []relay.ID{body}},
			"q wildcard":     {lists.EventFilter{Q: "%"}, nil},
			"q in a body":    {lists.EventFilter{Q: order}, []relay.ID{traced}},
			"q case":         {lists.EventFilter{Q: "zoË"}, []relay.ID{traced}},
			"q escape":       {lists.EventFilter{Q: `ZO\u00eb`}, []relay.ID{traced}},
			"q script":       {lists.EventFilter{Q: "日本"}, []relay.ID{traced}},
			"q slash":        {lists.EventFilter{Q: "https://A/b"}, []relay.ID{traced}},
			"q header":       {lists.EventFilter{Q: "TRACE-77"}, []relay.ID{traced}},
			"q header name":  {lists.EventFilter{Q: "x-trace"}, nil},
			"q secret":       {lists.EventFilter{Q: "hidden"}, nil},
			"q id and text":  {lists.EventFilter{Q: plain.UUID()}, []relay.ID{plain, traced}},
			"q in a type":    {lists.EventFilter{Q: "needle", EventType: "customer.created"}, nil},
			"q id":           {lists.EventFilter{Q: relay.PrefixEvent.Format(typed)}, []relay.ID{typed}},
			"q bare id":      {lists.EventFilter{Q: typed.Hex()}, []relay.ID{typed}},
			"q delivery":     {lists.EventFilter{Q: relay.PrefixDelivery.Format(all[2].Deliveries[0].ID)}, []relay.ID{sourced}},
			"q unknown id":   {lists.EventFilter{Q: relay.NewID().UUID()}, nil},
			"hostile type":   {lists.EventFilter{EventType: "' OR 1=1--"}, nil},
			"hostile status": {lists.EventFilter{Status: "'; DROP TABLE events; --\x00?"}, nil},
		} {
			got, err := w.Events(t.Context(), w.project, c.f, sqldb.Page{})
			check(t, err)
			var ids []relay.ID
			for _, ev := range got.Rows {
				ids = append(ids, ev.ID)
			}
			if !slices.Equal(ids, c.want) {
				t.Errorf("%s: got %v, want %v", name, ids, c.want)
			}
			if c.f.Q == "" || len(c.f.Q) < 32 {
				n, err := w.CountEvents(t.Context(), w.project, c.f, 4)
				check(t, err)
				equal(t, name+" counted", n, min(len(c.want), 4))
			}
		}
		foreign, err := w.Events(t.Context(), w.addProject(t), lists.EventFilter{Q: relay.PrefixEvent.Format(plain)}, sqldb.Page{})
		check(t, err)
		equal(t, "found from another project", len(foreign.Rows), 0)
	})
}

func TestSearchPages(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		var want []relay.ID
		for i := range 150 {
			in := w.reception()
			if i%10 == 3 {
				in.Payload.Body = []byte("the needle")
				want = append(want, in.Event.ID)
			}
			_, err := w.Receive(t.Context(), in)
			check(t, err)
		}
		slices.Reverse(want)
		var got []relay.ID
		for p := (sqldb.Page{Limit: 4}); ; {
			page, err := w.Events(t.Context(), w.project, lists.EventFilter{Q: "needle"}, p)
			check(t, err)
			for _, ev := range page.Rows {
				got = append(got, ev.ID)
			}
			if p.Cursor = page.Next; p.Cursor == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %d, want %d", len(got), len(want))
		}
	})
}

func TestDeliveryFilters(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, b := w.addEndpoint(t), w.addEndpoint(t)
		first, second := w.receive(t, a, b), w.receive(t, a)
		dead := claimFrom(t, w.Store, 1, a)[0]
		record(t, w.Store, outcome(w.Store, dead, relay.DeliveryDLQ))
		replay, err := w.ReplayDelivery(t.Context(), w.project, first.Deliveries[0].ID, system, unlimited)
		check(t, err)
		ids := func(f lists.DeliveryFilter) (out []relay.ID) {
			t.Helper()
			got, err := w.Deliveries(t.Context(), w.project, f, sqldb.Page{})
			check(t, err)
			for _, d := range got.Rows {
				out = append(out, d.ID)
			}
			n, err := w.CountDeliveries(t.Context(), w.project, f, 100)
			check(t, err)
			equal(t, "count", n, len(out))
			slices.SortFunc(out, func(a, b relay.ID) int { return bytes.Compare(a[:], b[:]) })
			return out
		}
		for name, c := range map[string]struct {
			f    lists.DeliveryFilter
			want int
		}{
			"all": {lists.DeliveryFilter{}, 4}, "endpoint": {lists.DeliveryFilter{EndpointID: b.ID}, 1}, "event": {lists.DeliveryFilter{EventID: second.Event.ID}, 1},
			"source": {lists.DeliveryFilter{SourceID: w.source.ID}, 4}, "other source": {lists.DeliveryFilter{SourceID: a.ID}, 0},
			"type": {lists.DeliveryFilter{EventType: "invoice.paid"}, 4}, "status": {lists.DeliveryFilter{Status: relay.DeliveryDLQ}, 1},
			"no replay": {lists.DeliveryFilter{ReplayID: relay.NewID()}, 0}, "since": {lists.DeliveryFilter{Since: second.Deliveries[0].ID}, 1},
			"dead letters":          {lists.DeliveryFilter{Status: relay.DeliveryDLQ, NewestOnly: true}, 0},
			"newest of an endpoint": {lists.DeliveryFilter{EndpointID: a.ID, NewestOnly: true}, 2},
			"from":                  {lists.DeliveryFilter{From: replay.CreatedAt}, 1}, "to": {lists.DeliveryFilter{To: replay.CreatedAt, EndpointID: a.ID}, 2},
		} {
			equal(t, name, len(ids(c.f)), c.want)
		}
		if got := ids(lists.DeliveryFilter{Status: relay.DeliveryDLQ}); !slices.Equal(got, []relay.ID{first.Deliveries[0].ID}) {
			t.Errorf("dead letter: %v", got)
		}
	})
}
