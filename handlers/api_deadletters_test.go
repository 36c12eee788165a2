package handlers

import (
	"fmt"
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

func TestDeadLetters(t *testing.T) { onBoth(t, testDeadLetters) }

func testDeadLetters(t *testing.T, w *world) {
	e := w.endpointFor(object{"name": "Shop"})
	_, events := w.past(2, "x")
	w.settle(relay.DeliveryDLQ, 500)
	groups := w.api("GET", "/api/v1/dead-letters", nil).rows(t)
	if len(groups) != 1 || groups[0]["endpoint_id"] != e["id"] || groups[0]["endpoint_name"] != "Shop" || groups[0]["count"] != 2.0 || groups[0]["oldest_at"] == nil {
		t.Fatalf("groups: %v", groups)
	}
	cause := groups[0]["cause"]
	plan := w.plan(object{"delivery_status": "failed", "delivery_endpoint_id": e["id"], "cause": cause})
	if plan["plan"].(object)["deliveries"] != 2.0 || plan["selection"].(object)["newest_only"] != true {
		t.Errorf("replay of a group: %v", plan)
	}
	for body, field := range map[string]string{
		fmt.Sprintf(`{"cause":%q,"reason":"a"}`, cause): "endpoint_id", fmt.Sprintf(`{"endpoint_id":%q,"reason":"a"}`, e["id"]): "cause",
		fmt.Sprintf(`{"endpoint_id":%q,"cause":%q}`, e["id"], cause): "reason", fmt.Sprintf(`{"endpoint_id":%q,"cause":%q,"reason":"a","all":true}`, e["id"], cause): "all",
	} {
		if fields := w.api("POST", "/api/v1/dead-letters/discard", body).problem(t, 422, relay.KindValidation); fields[0] != field {
			t.Errorf("%s: %v", body, fields)
		}
	}
	gone := w.api("POST", "/api/v1/dead-letters/discard", object{"endpoint_id": e["id"], "cause": cause, "reason": "a test"}).data(t, 200)
	if gone["discarded"] != 2.0 {
		t.Errorf("discarded: %v", gone)
	}
	if d := w.deliveriesOf(events[0])[0]; d["status"] != "discarded" || d["discard_reason"] != "a test" {
		t.Errorf("delivery: %v", d)
	}
	if groups := w.api("GET", "/api/v1/dead-letters", nil).rows(t); len(groups) != 0 {
		t.Errorf("left: %v", groups)
	}
}
