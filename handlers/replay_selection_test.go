package handlers

import (
	"net/url"
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
