package handlers

import (
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

func TestReplayFailuresSoFar(t *testing.T) { onBoth(t, testReplayFailuresSoFar) }

func testReplayFailuresSoFar(t *testing.T, w *world) {
	src, _ := w.past(3, "x")
	e := w.endpointFor(nil)
	id := w.api("POST", "/api/v1/replays", object{"endpoint_id": e["id"], "source_id": src["id"], "brake": 0}).data(t, 202)["id"].(string)
	job, path := w.replayID(id), "/api/v1/replays/"+id
	step, err := w.store.WalkReplay(job).Next(t.Context(), 2)
	w.must(err)
	if step.Made != 2 {
		t.Fatalf("%d made", step.Made)
	}
	w.settle(relay.DeliveryRetrying, 503)
	groups := w.api("GET", path+"/failures", nil).rows(t)
	if len(groups) != 1 || groups[0]["count"] != 0.0 || groups[0]["retrying"] != 2.0 || groups[0]["first_delivery_id"] == "" || groups[0]["example"] == "" {
		t.Errorf("failed so far: %v", groups)
	}
	_, err = w.store.WalkReplay(job).Next(t.Context(), 1)
	w.must(err)
	w.settle(relay.DeliveryDLQ, 503)
	groups = w.api("GET", path+"/failures", nil).rows(t)
	if len(groups) != 1 || groups[0]["count"] != 1.0 || groups[0]["retrying"] != 2.0 {
		t.Errorf("one failed for good: %v", groups)
	}
}
