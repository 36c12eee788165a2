package handlers

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

func TestHookstream(t *testing.T) { onBoth(t, testHookstream) }

func testHookstream(t *testing.T, w *world) {
	src, _ := w.past(3, "x")
	e := w.endpointFor(nil)
	hex := func(prefix string, thing object) string {
		return prefix + strings.ReplaceAll(thing["id"].(string)[4:], "-", "")
	}
	from, to := w.ago(time.Hour), w.ago(0)

	// curl -X POST https://hookstream.io/v1/replay -H "X-API-Key: …" -H "Content-Type: application/json" -d '…'
	made := w.call("POST", "/v1/replay", `{ "destination_id": "`+hex("dst_", e)+`", "source_id": "`+hex("src_", src)+`", "from": "`+from+`", "to": "`+to+`", "rate_limit": 20 }`,
		"X-API-Key", w.mine.write, "Content-Type", "application/json")
	job := made.json(t, 202)["job"].(object)
	id := job["id"].(string)
	if job["status"] != "running" || job["total"] != 3.0 || !strings.HasPrefix(id, "rpl_") || made.Header.Get("Location") != "/v1/replay/"+id {
		t.Errorf("made: %s", made.text)
	}
	get := func() object {
		t.Helper()
		return w.call("GET", "/v1/replay/rpl_"+strings.ReplaceAll(id[4:], "-", ""), nil, "X-API-Key", w.mine.read).json(t, 200)["job"].(object)
	}
	if job := get(); job["status"] != "running" || job["completed_at"] != nil || job["started_at"] == nil {
		t.Errorf("running: %v", job)
	}
	w.advance(id, relay.DeliveryDelivered, 200)
	job = get()
	want := object{
		"id": id, "destination_id": e["id"], "source_id": src["id"], "from": from, "to": to, "rate_limit": 20.0, "max_events": 1000.0,
		"status": "completed", "total": 3.0, "processed": 3.0, "succeeded": 3.0, "failed": 0.0,
		"started_at": job["started_at"], "completed_at": job["completed_at"],
	}
	if diff := cmp.Diff(want, job); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"started_at", "completed_at"} {
		if at, err := time.Parse(time.RFC3339, job[name].(string)); err != nil || at.After(w.clock.Now()) || !strings.HasSuffix(job[name].(string), "Z") {
			t.Errorf("%s: %v", name, job[name])
		}
	}

	cookie := w.logIn(testEmail)
	person := []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin", "Content-Type", "application/json"}
	body := object{"destination_id": e["id"], "from": from, "to": to, "max_events": 2}
	job = w.call("POST", "/api/v1/replay", body, person...).json(t, 202)["job"].(object)
	if job["total"] != 2.0 || job["rate_limit"] != 10.0 || job["max_events"] != 2.0 || job["source_id"] != nil {
		t.Errorf("by cookie, two at most: %v", job)
	}
	w.api("POST", "/v1/replays/"+job["id"].(string)+"/cancel", nil).data(t, 200)
	if job := w.call("GET", "/api/v1/replay/"+job["id"].(string), nil, person...).json(t, 200)["job"].(object); job["status"] != "failed" {
		t.Errorf("cancelled is failed in their words: %v", job)
	}

	for body, field := range map[string]string{
		`"rate_limit":101`: "rate_limit", `"rate_limit":0`: "rate_limit", `"rate_limit":-1`: "rate_limit", `"rate_limit":1000000000000`: "rate_limit",
		`"max_events":10001`: "max_events", `"max_events":0`: "max_events", `"event_type":"x"`: "event_type", `"rate_limit":"20"`: "rate_limit",
	} {
		got := w.api("POST", "/v1/replay", `{"destination_id":"`+e["id"].(string)+`","from":"`+from+`","to":"`+to+`",`+body+`}`)
		if fields := got.problem(t, 422, relay.KindValidation); !cmp.Equal(fields, []string{field}) {
			t.Errorf("%s: %v", body, fields)
		}
	}
	for _, field := range []string{"destination_id", "from", "to"} {
		body := object{"destination_id": e["id"], "from": from, "to": to}
		delete(body, field)
		if fields := w.api("POST", "/v1/replay", body).problem(t, 422, relay.KindValidation); !cmp.Equal(fields, []string{field}) {
			t.Errorf("no %s: %v", field, fields)
		}
	}
	for _, bad := range []object{{"from": to, "to": from, "destination_id": e["id"]}, {"from": "2026-03-01T00:00:00", "to": to, "destination_id": e["id"]},
		{"from": from, "to": to, "destination_id": relay.PrefixEndpoint.Format(relay.NewID())}} {
		w.api("POST", "/v1/replay", bad).problem(t, 422, relay.KindValidation)
	}
	w.api("POST", "/v1/replay", object{"from": from, "to": to, "destination_id": "x"}).problem(t, 400, relay.KindInvalidID)
	w.call("POST", "/v1/replay", body).problem(t, 401, relay.KindUnauthorized)
	w.call("GET", "/v1/replay/"+id, nil, "X-API-Key", w.other.read).problem(t, 404, relay.KindNotFound)
	w.api("GET", "/v1/replay/5", nil).problem(t, 400, relay.KindInvalidID)

	w.clock.advance(30*24*time.Hour - time.Hour)
	get()
	w.clock.advance(2 * time.Hour)
	w.api("GET", "/v1/replay/"+id, nil).problem(t, 404, relay.KindNotFound)
}

// TestHookstreamReplaysTheOldest: of a larger range than max_events, which is
// 1,000 if left out, the oldest are replayed, and total says how many.
func TestHookstreamReplaysTheOldest(t *testing.T) { onBoth(t, testHookstreamReplaysTheOldest) }

func testHookstreamReplaysTheOldest(t *testing.T, w *world) {
	src, events := w.past(hookstreamEvents+2, "x")
	e := w.endpointFor(nil)
	for _, most := range []any{nil, 3, hookstreamEvents, hookstreamMaxEvents} {
		body := object{"destination_id": e["id"], "source_id": src["id"], "from": w.ago(24 * time.Hour), "to": w.ago(0)}
		want := float64(hookstreamEvents)
		switch most {
		case 3:
			want = 3
		case hookstreamMaxEvents:
			want = hookstreamEvents + 2
		}
		if most != nil {
			body["max_events"] = most
		}
		w.clock.advance(time.Second)
		job := w.api("POST", "/v1/replay", body).json(t, 202)["job"].(object)
		if job["total"] != want || job["status"] != "running" {
			t.Errorf("at most %v: %v", most, job)
		}
		if most == nil && job["max_events"] != float64(hookstreamEvents) {
			t.Errorf("the default: %v", job)
		}
		plan := w.api("GET", "/v1/replays/"+job["id"].(string), nil).data(t, 200)["plan"].(object)
		last := w.api("GET", "/v1/events/"+events[int(want)-1], nil).data(t, 200)
		if plan["newest"] != last["received_at"] {
			t.Errorf("at most %v: the newest is of %v, want %v", most, plan["newest"], last["received_at"])
		}
	}
	body := object{"destination_id": e["id"], "source_id": src["id"], "from": w.ago(24 * time.Hour), "to": w.ago(0), "max_events": hookstreamMaxEvents + 1}
	if fields := w.api("POST", "/v1/replay", body).problem(t, 422, relay.KindValidation); !cmp.Equal(fields, []string{"max_events"}) {
		t.Errorf("over the limit: %v", fields)
	}
}
