package handlers

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

func TestBackfill(t *testing.T) { onBoth(t, testBackfill) }

func testBackfill(t *testing.T, w *world) {
	_, events := w.past(2, "x")
	e := w.endpointFor(object{"backfill_days": 7})
	id, ok := e["backfill"].(object)["replay_id"].(string)
	if !ok || e["secret"] == nil {
		t.Fatalf("endpoint: %v", e)
	}
	if job := w.api("GET", "/api/v1/replays/"+id, nil).data(t, 200); job["backfill"] != true || job["status"] != "running" || !cmp.Equal(job["endpoint_ids"], []any{e["id"]}) {
		t.Errorf("job: %v", job)
	}
	w.clock.advance(5 * time.Minute)
	w.advance(id, relay.DeliveryDelivered, 200)
	for _, event := range events {
		if d := w.deliveriesOf(event); len(d) != 1 || d[0]["replay_id"] != id {
			t.Errorf("deliveries: %v", d)
		}
	}
	for _, days := range []any{0, -1, 366, 1e12, 1.5, "7"} {
		if fields := w.api("POST", "/api/v1/endpoints", object{"name": "x", "url": "https://example.com/", "backfill_days": days}).problem(t, 422, relay.KindValidation); fields[0] != "backfill_days" {
			t.Errorf("%v: %v", days, fields)
		}
	}
	both := w.api("POST", "/api/v1/endpoints", object{"name": "x", "url": "example.com", "backfill_days": 400}).problem(t, 422, relay.KindValidation)
	if !slices.Contains(both, "url") || !slices.Contains(both, "backfill_days") {
		t.Errorf("two faults at once: %v", both)
	}
	w.api("POST", "/api/v1/endpoints", object{"name": "x", "url": "https://example.com/", "status": "disabled", "backfill_days": 1}).problem(t, 422, relay.KindValidation)
	w.api("PATCH", "/api/v1/endpoints/"+e["id"].(string), object{"backfill_days": 1}).problem(t, 422, relay.KindValidation)
	if n := len(w.api("GET", "/api/v1/endpoints", nil).rows(t)); n != 1 {
		t.Errorf("%d endpoints", n)
	}
}
