package handlers

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

// TestReplayEventType: event_type is just that type, as in the lists; in
// event_types a star stands for any rest, as in an endpoint's filter.
func TestReplayEventType(t *testing.T) { onBoth(t, testReplayEventType) }

func testReplayEventType(t *testing.T, w *world) {
	types := []string{"order.paid", "order.*", "*", "order.paid,order.sent"}
	src := w.source(nil)
	for _, typ := range types {
		w.event(src, "x", "X-Event-Type", typ)
	}
	w.endpointFor(nil)
	w.clock.advance(time.Minute)
	for _, typ := range types {
		listed := w.api("GET", "/api/v1/events?event_type="+url.QueryEscape(typ), nil).rows(t)
		job := w.plan(object{"event_type": typ})
		if job["plan"].(object)["events"] != float64(len(listed)) || len(listed) != 1 {
			t.Errorf("%s: %d in the list, %v in the plan", typ, len(listed), job["plan"])
		}
		if s := job["selection"].(object); s["event_type"] != typ || !cmp.Equal(s["event_types"], []any{}) {
			t.Errorf("%s: %v", typ, s)
		}
	}
	for typ, n := range map[string]float64{"order.*": 3, "*": 4, "order.paid,order.sent": 1, "order.paid*": 2} {
		if got := w.plan(object{"event_types": []string{typ}})["plan"].(object)["events"]; got != n {
			t.Errorf("the pattern %s: %v events", typ, got)
		}
	}
	if fields := w.api("POST", "/v1/replays", object{"event_type": "a\tb"}).problem(t, 422, relay.KindValidation); !cmp.Equal(fields, []string{"event_type"}) {
		t.Errorf("control characters: %v", fields)
	}
}

// TestReplaySelections runs a job of each kind of selection, and looks at which
// events got a delivery by it.
func TestReplaySelections(t *testing.T) { onBoth(t, testReplaySelections) }

func testReplaySelections(t *testing.T, w *world) {
	src := w.source(nil)
	got := w.endpointFor(object{"name": "Got it", "event_filter": []string{"order.*"}})
	var events, deliveries []string
	for i, typ := range []string{"order.paid", "order.sent", "invoice.paid", "order.paid"} {
		id := w.event(src, fmt.Sprintf(`{"n":"needle-%d"}`, i), "X-Event-Type", typ, "X-Id", "a")
		events = append(events, id)
		for _, d := range w.deliveriesOf(id) {
			deliveries = append(deliveries, d["id"].(string))
		}
		w.clock.advance(time.Second)
	}
	w.settle(relay.DeliveryDelivered, 200)
	picky := w.endpointFor(object{"name": "Picky", "event_filter": []string{"invoice.*"}})
	w.clock.advance(time.Minute)
	for _, c := range []struct {
		name   string
		in     object
		events []string
	}{
		{"what was not delivered", object{"source_id": src["id"], "endpoint_id": got["id"], "ignore_filter": true, "skip_delivered": true}, events[2:3]},
		{"a search", object{"q": "needle-1", "endpoint_id": got["id"]}, events[1:2]},
		{"a search of types", object{"q": "sent", "endpoint_id": got["id"]}, events[1:2]},
		{"a search, all matching", object{"q": "needle"}, events},
		{"events by id", object{"event_ids": []any{events[3], events[0]}, "endpoint_id": got["id"]}, []string{events[0], events[3]}},
		{"deliveries by id", object{"delivery_ids": deliveries[1:]}, []string{events[1], events[3]}},
		{"deliveries elsewhere", object{"delivery_ids": deliveries, "endpoint_ids": []any{picky["id"]}, "ignore_filter": true}, []string{events[0], events[1], events[3]}},
		{"the filter asked", object{"source_id": src["id"], "endpoint_id": picky["id"]}, events[2:3]},
		{"the filter ignored", object{"source_id": src["id"], "endpoint_id": picky["id"], "ignore_filter": true}, events},
	} {
		id := w.plan(c.in)["id"].(string)
		w.api("POST", "/v1/replays/"+id+"/start", nil).data(t, 200)
		w.advance(id, relay.DeliveryDelivered, 200)
		if job := w.api("GET", "/v1/replays/"+id, nil).data(t, 200); job["status"] != "completed" {
			t.Errorf("%s: %v", c.name, job)
		}
		var sent []string
		for _, d := range w.api("GET", "/v1/deliveries?replay_id="+id, nil).rows(t) {
			sent = append(sent, d["event_id"].(string))
		}
		slices.Sort(sent)
		if !slices.Equal(sent, c.events) {
			t.Errorf("%s: sent %v, want %v", c.name, sent, c.events)
		}
	}
}
