package handlers

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

// The calls in these tests are those of the documents, but for base URL, key
// and ids.

func TestKrafter(t *testing.T) { onBoth(t, testKrafter) }

func testKrafter(t *testing.T, w *world) {
	src := w.source(object{"slug": "k"})
	one, two := w.endpointFor(nil), w.endpointFor(object{"event_filter": []string{"order.*"}})
	w.endpointFor(object{"status": "disabled"})
	id := w.event(src, `{"type":"order.paid"}`)
	w.settle(relay.DeliveryDelivered, 200)
	path := "/api/v1/webhooks/sources/" + src["id"].(string) + "/events/" + id + "/replay"

	// curl -X POST … -H "Authorization: Bearer $KRAFTER_KEY"
	out := w.call("POST", path, nil, "Authorization", "Bearer "+w.mine.write).data(t, 202)
	queued := out["queued_destination_ids"].([]any)
	if out["replayed_to"] != 2.0 || len(queued) != 2 || !slices.Contains(queued, one["id"]) || !slices.Contains(queued, two["id"]) {
		t.Errorf("all destinations: %v", out)
	}
	if ev := w.api("GET", "/api/v1/events/"+id, nil).data(t, 200); ev["status"] != "forwarding" {
		t.Errorf("event: %v", ev["status"])
	}
	// … -d '{ "destination_ids": ["uuid-1"] }'
	bare := strings.TrimPrefix(one["id"].(string), "whk_")
	out = w.api("POST", path, `{ "destination_ids": ["`+bare+`"] }`).data(t, 202)
	if diff := cmp.Diff([]any{one["id"]}, out["queued_destination_ids"]); diff != "" || out["replayed_to"] != 1.0 {
		t.Errorf("a subset: %v", out)
	}
	elsewhere := w.endpointFor(object{"source_ids": []any{w.source(nil)["id"]}})
	if fields := w.api("POST", path, object{"destination_ids": []any{elsewhere["id"]}}).problem(t, 422, relay.KindValidation); fields[0] != "destination_ids" {
		t.Error(fields)
	}
	other := w.source(nil)
	w.api("POST", "/api/v1/webhooks/sources/"+other["id"].(string)+"/events/"+id+"/replay", nil).problem(t, 404, relay.KindNotFound)
	if n := len(w.deliveriesOf(id)); n != 5 {
		t.Errorf("%d deliveries, want 2 and 3 replays", n)
	}

	signed := w.source(object{"verifier": object{"type": "github", "secret": "s"}})
	w.call("POST", "/in/"+signed["slug"].(string), "{}").problem(t, 401, relay.KindUnauthorized)
	bad := w.api("GET", "/api/v1/events?source_id="+signed["id"].(string), nil).rows(t)[0]["id"].(string)
	w.api("POST", "/api/v1/webhooks/sources/"+signed["id"].(string)+"/events/"+bad+"/replay", nil).problem(t, 409, relay.KindNotReplayable)
}

func TestDriftstack(t *testing.T) { onBoth(t, testDriftstack) }

func testDriftstack(t *testing.T, w *world) {
	e := w.endpointFor(nil)
	id := w.event(w.source(nil), `{"type":"session.completed"}`)
	w.settle(relay.DeliveryDLQ, 500)
	list := w.api("GET", "/v1/webhooks/"+e["id"].(string)+"/deliveries?status=dlq", nil).rows(t)
	if len(list) != 1 || list[0]["last_response_excerpt"] != "the answer" {
		t.Fatalf("list: %v", list)
	}
	delivery := list[0]["id"].(string)
	d := w.api("POST", "/v1/webhook-deliveries/"+delivery+"/replay", "{}").json(t, 200)
	want := object{
		"id": delivery, "webhook_id": e["id"], "event_id": id, "event_type": "session.completed", "status": "pending", "attempts": 0.0,
		"next_attempt_at": d["next_attempt_at"], "last_response_status": nil, "last_response_excerpt": nil, "last_error": nil, "delivered_at": nil,
		"created_at": list[0]["created_at"],
	}
	for name, value := range want {
		if got, ok := d[name]; !ok || !cmp.Equal(got, value) {
			t.Errorf("%s: %v, want %v", name, got, value)
		}
	}
	if at, err := time.Parse(time.RFC3339, d["next_attempt_at"].(string)); err != nil || at.After(w.clock.Now().Add(30*time.Second)) || !strings.HasSuffix(d["next_attempt_at"].(string), "Z") {
		t.Errorf("next_attempt_at %v: %v", d["next_attempt_at"], err)
	}
	w.call("POST", "/v1/webhook-deliveries/"+delivery+"/replay", "{}", "X-API-Key", w.other.write).problem(t, 404, relay.KindNotFound)
	w.api("POST", "/v1/webhook-deliveries/abc/replay", "{}").problem(t, 400, relay.KindInvalidID)
	w.api("POST", "/v1/webhook-deliveries/evt_"+delivery[4:]+"/replay", "{}").problem(t, 400, relay.KindInvalidID)

	audit := w.api("GET", "/v1/account/audit-log?action=webhook_delivery.replayed", nil).rows(t)
	if len(audit) != 1 || audit[0]["action"] != "webhook_delivery.replayed" || audit[0]["target_id"] != delivery {
		t.Fatalf("audit: %v", audit)
	}
	payload := audit[0]["payload"].(object)
	if payload["endpoint_id"] != e["id"] || payload["event_type"] != "session.completed" {
		t.Errorf("payload: %v", payload)
	}
	if actor := audit[0]["actor"].(object); actor["type"] != "api_key" || actor["name"] != "write" {
		t.Errorf("actor: %v", actor)
	}
}

func TestSendoka(t *testing.T) { onBoth(t, testSendoka) }

func testSendoka(t *testing.T, w *world) {
	e := w.endpointFor(nil)
	hook := "/api/v1/webhooks/" + e["id"].(string)
	src := w.source(nil)
	var events []string
	for range 3 {
		w.clock.advance(time.Minute)
		events = append(events, w.event(src, "x"))
	}
	w.settle(relay.DeliveryDLQ, 500)
	old := w.deliveriesOf(events[0])[0]["id"].(string)

	one := w.call("POST", hook+"/deliveries/whd_"+strings.TrimPrefix(old, "wdl_")+"/replay", nil, "Authorization", "Bearer "+w.mine.write).json(t, 202)
	if one["delivery_id"] == old || one["endpoint_id"] != e["id"] || one["queued"] != 1.0 || one["data"].(object)["replay_of"] != old {
		t.Errorf("one: %v", one)
	}
	since := w.clock.Now().Add(-30 * time.Second).UTC().Format(time.RFC3339)
	some := w.api("POST", hook+"/replay-failed", `{"since": "`+since+`"}`).json(t, 202)
	if diff := cmp.Diff(object{"queued": 1.0, "endpoint_id": e["id"]}, some); diff != "" {
		t.Error(diff)
	}
	rest := w.call("POST", hook+"/replay-failed", nil, "Authorization", "Bearer "+w.mine.write).json(t, 202)
	if rest["queued"] != 1.0 {
		t.Errorf("what was replayed since does not count as failed: %v", rest)
	}
	// The native call shares the budget and has the envelope.
	if native := w.api("POST", "/api/v1/endpoints/"+e["id"].(string)+"/replay-failed", nil).data(t, 202); native["queued"] != 0.0 {
		t.Errorf("native: %v", native)
	}
	for range 6 {
		w.api("POST", hook+"/replay-failed", nil).json(t, 202)
	}
	for _, path := range []string{hook + "/replay-failed", hook + "/deliveries/" + old + "/replay", "/api/v1/endpoints/" + e["id"].(string) + "/replay-failed", "/api/v1/deliveries/" + old + "/replay"} {
		w.api("POST", path, nil).problem(t, 429, relay.KindReplayLimited)
	}

	fired := w.api("POST", hook+"/test-fire", `{"event": "message.delivered"}`).json(t, 202)
	if fired["endpoint_id"] != e["id"] || fired["data"].(object)["trigger"] != "test" {
		t.Errorf("test-fire: %v", fired)
	}
	other := w.endpointFor(nil)
	w.api("POST", "/api/v1/webhooks/"+other["id"].(string)+"/deliveries/"+old+"/replay", nil).problem(t, 404, relay.KindNotFound)
	if fields := w.api("POST", "/api/v1/webhooks/"+other["id"].(string)+"/replay-failed", `{"since":"yesterday"}`).problem(t, 422, relay.KindValidation); fields[0] != "since" {
		t.Error(fields)
	}
}

func TestConvoy(t *testing.T) { onBoth(t, testConvoy) }

func testConvoy(t *testing.T, w *world) {
	src := w.source(object{"verifier": object{"type": "api_key", "header_name": "X-Token", "header_value": "canary"}})
	e := w.endpointFor(object{"authentication": object{"type": "api_key", "header_name": "X-Key", "header_value": "canary"}})
	id := w.event(src, `{"type":"a.b","n":1}`, "X-Token", "canary", "X-Many", "1", "X-Many", "2")
	w.api("PATCH", "/api/v1/sources/"+src["id"].(string), object{"custom_response": object{"body": "ok"}}).data(t, 200)
	added := w.endpointFor(nil)
	project := relay.PrefixProject.Format(w.mine.project.ID)
	got := w.call("PUT", "/api/v1/projects/"+project+"/events/"+id+"/replay", nil, "Authorization", w.mine.write)
	out := got.json(t, 200)
	if strings.Contains(got.text, "canary") {
		t.Errorf("secrets are shown: %s", got.text)
	}
	text, err := os.ReadFile("testdata/convoy-event.json")
	w.must(err)
	var documented any
	w.must(json.Unmarshal(text, &documented))
	missing(t, "", documented, out)
	data := out["data"].(object)
	if out["status"] != true || data["uid"] != id || data["status"] != "Processing" || data["project_id"] != project || data["source_id"] != src["id"] ||
		data["event_type"] != "a.b" || data["raw"] != `{"type":"a.b","n":1}` || !cmp.Equal(data["data"], object{"type": "a.b", "n": 1.0}) {
		t.Errorf("event: %s", got.text)
	}
	if ends := data["endpoints"].([]any); len(ends) != 2 || !slices.Contains(ends, e["id"]) || !slices.Contains(ends, added["id"]) {
		t.Errorf("matching ran anew: %v", data["endpoints"])
	}
	if n := len(w.deliveriesOf(id)); n != 3 {
		t.Errorf("%d deliveries", n)
	}
	for path, status := range map[string]int{
		"/api/v1/projects/" + project + "/events/" + relay.PrefixEvent.Format(relay.NewID()) + "/replay":                    404,
		"/api/v1/projects/" + relay.PrefixProject.Format(w.other.project.ID) + "/events/" + id + "/replay":                  404,
		"/api/v1/projects/" + project + "/events/5/replay":                                                                  400,
		"/api/v1/projects/" + strings.TrimPrefix(project, "prj_") + "/events/" + strings.TrimPrefix(id, "evt_") + "/replay": 200,
	} {
		got := w.call("PUT", path, nil, "Authorization", w.mine.write)
		out := got.json(t, status)
		if out["status"] != (status == 200) || out["message"] == "" {
			t.Errorf("%s: %s", path, got.text)
		}
	}
	if out := w.call("PUT", "/api/v1/projects/"+project+"/events/"+id+"/replay", nil).json(t, 401); out["status"] != false || out["message"] == nil {
		t.Errorf("anonymous: %v", out)
	}
}

// missing reports the fields of a documented answer that an answer lacks.
func missing(t *testing.T, path string, documented, got any) {
	switch want := documented.(type) {
	case object:
		have, ok := got.(object)
		if !ok {
			t.Errorf("%s is no object: %v", path, got)
			return
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			value, ok := have[name]
			if !ok {
				t.Errorf("%s.%s is missing", path, name)
				continue
			}
			missing(t, path+"."+name, want[name], value)
		}
	case []any:
		have, ok := got.([]any)
		if ok && len(have) > 0 {
			missing(t, path+"[0]", want[0], have[0])
		} else if _, scalars := want[0].(float64); !ok && !scalars {
			t.Errorf("%s is no list: %v", path, got)
		}
	}
}
