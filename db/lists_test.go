package db

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

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
		p, q := Page{Limit: 4}, Page{Limit: 4}
		for {
			es, err := w.Events(t.Context(), w.project, EventFilter{SourceID: w.source.ID}, p)
			check(t, err)
			ds, err := w.Deliveries(t.Context(), w.project, DeliveryFilter{EndpointID: e.ID, Status: relay.DeliveryPending}, q)
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
			page, err := w.Events(t.Context(), w.project, EventFilter{}, Page{Limit: limit})
			check(t, err)
			equal(t, fmt.Sprint("more after ", limit), page.Next != "", next)
		}
		equal(t, "limit of 0", Page{}.limit(), 25)
		equal(t, "limit of a million", Page{Limit: 1e6}.limit(), 100)
	})
}

func TestCursorsAreBoundToTheirList(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		other := w.addProject(t)
		for range 3 {
			w.receive(t)
		}
		page, err := w.Events(t.Context(), w.project, EventFilter{}, Page{Limit: 1})
		check(t, err)
		good := page.Next
		_, err = w.Events(t.Context(), w.project, EventFilter{}, Page{Limit: 50, Cursor: good})
		check(t, err)
		no := false
		for _, f := range []EventFilter{{EventType: "a"}, {SourceID: w.source.ID}, {Status: relay.EventFailed}, {SignatureValid: &no}, {Q: "x"},
			{IdempotencyKey: "k"}, {From: w.Now()}, {To: w.Now()}, {Since: relay.NewID()}} {
			_, err := w.Events(t.Context(), w.project, f, Page{Cursor: good})
			wantKind(t, err, relay.KindInvalidRequest)
		}
		_, err = w.Events(t.Context(), other, EventFilter{}, Page{Cursor: good})
		wantKind(t, err, relay.KindInvalidRequest)
		_, err = w.Deliveries(t.Context(), w.project, DeliveryFilter{}, Page{Cursor: good})
		wantKind(t, err, relay.KindInvalidRequest)
		_, err = w.Endpoints(t.Context(), w.project, Page{Cursor: good})
		wantKind(t, err, relay.KindInvalidRequest)
		for _, bad := range []string{"x", good + "A", good[1:], "%00", "\x00", "' OR 1=1--", string(bytes.Repeat([]byte("A"), 10000))} {
			_, err = w.Events(t.Context(), w.project, EventFilter{}, Page{Cursor: bad})
			wantKind(t, err, relay.KindInvalidRequest)
		}
	})
}

func TestEventFilters(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e, source := w.addEndpoint(t), w.addSource(t, w.project)
		var all []Reception
		add := func(change func(*Reception)) relay.ID {
			t.Helper()
			w.clock.advance(time.Minute)
			in := w.reception(e)
			change(&in)
			_, err := w.Receive(t.Context(), in)
			check(t, err)
			all = append(all, in)
			return in.Event.ID
		}
		plain := add(func(*Reception) {})
		typed := add(func(r *Reception) { r.Event.EventType = "customer.created" })
		sourced := add(func(r *Reception) { r.Event.SourceID = source.ID })
		keyed := add(func(r *Reception) { r.Event.IdempotencyKey, r.DedupUntil = "key?1", w.Now().Add(time.Hour) })
		invalid := add(func(r *Reception) {
			r.Event.Status, r.Event.SignatureValid, r.Event.Verdict = relay.EventRejected, false, relay.VerdictBadSignature
		})
		body := add(func(r *Reception) { r.Payload.Body = []byte("\x00needle' OR 1=1--\xff") })
		order := relay.NewID().UUID()
		traced := add(func(r *Reception) {
			r.Payload.Headers = relay.Headers{{Name: "X-Trace", Value: "trace-77"}, {Name: "X-Api-Key", Value: "hidden"}}
			r.Payload.Body = []byte(`{"order":"` + order + `","name":"zo\u00eb \u65e5\u672c","url":"https:\/\/a\/b","event":"` + plain.UUID() + `"}`)
		})
		yes, no := true, false
		at := func(i int) time.Time { return all[i].Event.ReceivedAt }
		for name, c := range map[string]struct {
			f    EventFilter
			want []relay.ID
		}{
			"none":           {EventFilter{}, []relay.ID{traced, body, invalid, keyed, sourced, typed, plain}},
			"type":           {EventFilter{EventType: "customer.created"}, []relay.ID{typed}},
			"source":         {EventFilter{SourceID: source.ID}, []relay.ID{sourced}},
			"key":            {EventFilter{IdempotencyKey: "key?1"}, []relay.ID{keyed}},
			"invalid":        {EventFilter{SignatureValid: &no}, []relay.ID{invalid}},
			"valid, typed":   {EventFilter{SignatureValid: &yes, EventType: "customer.created"}, []relay.ID{typed}},
			"status":         {EventFilter{Status: relay.EventRejected}, []relay.ID{invalid}},
			"from":           {EventFilter{From: at(4)}, []relay.ID{traced, body, invalid}},
			"to":             {EventFilter{To: at(2)}, []relay.ID{typed, plain}},
			"between":        {EventFilter{From: at(1), To: at(1).Add(time.Microsecond)}, []relay.ID{typed}},
			"before all":     {EventFilter{To: time.Unix(0, 0)}, nil},
			"after 1970":     {EventFilter{From: time.Unix(0, 0), EventType: "customer.created"}, []relay.ID{typed}},
			"since":          {EventFilter{Since: keyed}, []relay.ID{traced, body, invalid}},
			"q type":         {EventFilter{Q: "omer.cre"}, []relay.ID{typed}},
			"q key":          {EventFilter{Q: "key?1"}, []relay.ID{keyed}},
			"q part of key":  {EventFilter{Q: "KEY?"}, []relay.ID{keyed}},
			"q body":         {EventFilter{Q: "\x00needle' OR"}, []relay.ID{body}},
			"q invalid text": {EventFilter{Q: "--\xff"}, []relay.ID{body}},
			"q injection":    {EventFilter{Q: "' OR 1=1--"}, []relay.ID{body}},
			"q wildcard":     {EventFilter{Q: "%"}, nil},
			"q in a body":    {EventFilter{Q: order}, []relay.ID{traced}},
			"q case":         {EventFilter{Q: "zoË"}, []relay.ID{traced}},
			"q escape":       {EventFilter{Q: `ZO\u00eb`}, []relay.ID{traced}},
			"q script":       {EventFilter{Q: "日本"}, []relay.ID{traced}},
			"q slash":        {EventFilter{Q: "https://A/b"}, []relay.ID{traced}},
			"q header":       {EventFilter{Q: "TRACE-77"}, []relay.ID{traced}},
			"q header name":  {EventFilter{Q: "x-trace"}, nil},
			"q secret":       {EventFilter{Q: "hidden"}, nil},
			"q id and text":  {EventFilter{Q: plain.UUID()}, []relay.ID{plain, traced}},
			"q in a type":    {EventFilter{Q: "needle", EventType: "customer.created"}, nil},
			"q id":           {EventFilter{Q: relay.PrefixEvent.Format(typed)}, []relay.ID{typed}},
			"q bare id":      {EventFilter{Q: typed.Hex()}, []relay.ID{typed}},
			"q delivery":     {EventFilter{Q: relay.PrefixDelivery.Format(all[2].Deliveries[0].ID)}, []relay.ID{sourced}},
			"q unknown id":   {EventFilter{Q: relay.NewID().UUID()}, nil},
			"hostile type":   {EventFilter{EventType: "' OR 1=1--"}, nil},
			"hostile status": {EventFilter{Status: "'; DROP TABLE events; --\x00?"}, nil},
		} {
			got, err := w.Events(t.Context(), w.project, c.f, Page{})
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
		foreign, err := w.Events(t.Context(), w.addProject(t), EventFilter{Q: relay.PrefixEvent.Format(plain)}, Page{})
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
		for p := (Page{Limit: 4}); ; {
			page, err := w.Events(t.Context(), w.project, EventFilter{Q: "needle"}, p)
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
		ids := func(f DeliveryFilter) (out []relay.ID) {
			t.Helper()
			got, err := w.Deliveries(t.Context(), w.project, f, Page{})
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
			f    DeliveryFilter
			want int
		}{
			"all": {DeliveryFilter{}, 4}, "endpoint": {DeliveryFilter{EndpointID: b.ID}, 1}, "event": {DeliveryFilter{EventID: second.Event.ID}, 1},
			"source": {DeliveryFilter{SourceID: w.source.ID}, 4}, "other source": {DeliveryFilter{SourceID: a.ID}, 0},
			"type": {DeliveryFilter{EventType: "invoice.paid"}, 4}, "status": {DeliveryFilter{Status: relay.DeliveryDLQ}, 1},
			"no replay": {DeliveryFilter{ReplayID: relay.NewID()}, 0}, "since": {DeliveryFilter{Since: second.Deliveries[0].ID}, 1},
			"dead letters":          {DeliveryFilter{Status: relay.DeliveryDLQ, NewestOnly: true}, 0},
			"newest of an endpoint": {DeliveryFilter{EndpointID: a.ID, NewestOnly: true}, 2},
			"from":                  {DeliveryFilter{From: replay.CreatedAt}, 1}, "to": {DeliveryFilter{To: replay.CreatedAt, EndpointID: a.ID}, 2},
		} {
			equal(t, name, len(ids(c.f)), c.want)
		}
		if got := ids(DeliveryFilter{Status: relay.DeliveryDLQ}); !slices.Equal(got, []relay.ID{first.Deliveries[0].ID}) {
			t.Errorf("dead letter: %v", got)
		}
	})
}
