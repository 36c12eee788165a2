package handlers

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

// TestBadInput sends what is no good to every call about many things. Each
// answer names the field, and nothing happens.
func TestBadInput(t *testing.T) { onBoth(t, testBadInput) }

func testBadInput(t *testing.T, w *world) {
	e := w.endpointFor(nil)["id"].(string)
	event := w.event(w.source(nil), "x")
	w.settle(relay.DeliveryDLQ, 500)
	job := w.plan(object{"event_ids": []any{event}})["id"].(string)
	before := len(w.deliveriesOf(event))
	delivery := w.deliveriesOf(event)[0]["id"].(string)
	hook := func(field string) string {
		return `{"destination_id":"` + e + `","from":"2026-03-01T00:00:00Z","to":"2026-03-02T00:00:00Z",` + field + `}`
	}
	const million = 1_000_000
	for _, c := range []struct{ call, body, field string }{
		{"PATCH /v1/replays/" + job, `{"rate_limit":0}`, "rate_limit"},
		{"PATCH /v1/replays/" + job, `{"rate_limit":-1}`, "rate_limit"},
		{"PATCH /v1/replays/" + job, `{"rate_limit":1000000000000}`, "rate_limit"},
		{"PATCH /v1/replays/" + job, `{"rate_limit":99999999999999999999}`, "rate_limit"},
		{"PATCH /v1/replays/" + job, `{"rate_limit":1.5}`, "rate_limit"},
		{"PATCH /v1/replays/" + job, `{"rate_limit":"20"}`, "rate_limit"},
		{"PATCH /v1/replays/" + job, `{"rate_limit":null}`, "rate_limit"},
		{"PATCH /v1/replays/" + job, `{"rate_limit":20,"status":"paused"}`, "status"},
		{"PATCH /v1/replays/" + job, `[20]`, "body"},
		{"POST /v1/replays/" + job + "/pause", `{"reason":5}`, "reason"},
		{"POST /v1/deliveries/" + delivery + "/discard", `{"reason":"a","because":"b"}`, "because"},
		{"POST /v1/replays/" + job + "/replay-failed", `{"rate_limit":5}`, "rate_limit"},
		{"POST /v1/replay", hook(`"rate_limit":1e12`), "rate_limit"},
		{"POST /v1/replay", hook(`"max_events":1000000000000`), "max_events"},
		{"POST /v1/replay", hook(`"max_events":-1`), "max_events"},
		{"POST /v1/replay", hook(`"event_ids":` + manyIDs(relay.PrefixEvent, 10)), "event_ids"},
		{"POST /v1/dead-letters/discard", `{"endpoint_id":"` + e + `","cause":"http_500","reason":"a","rate_limit":1}`, "rate_limit"},
		{"POST /v1/dead-letters/discard", `{"endpoint_id":["` + e + `"],"cause":"http_500","reason":"a"}`, "endpoint_id"},
		{"POST /v1/dead-letters/discard", `{"endpoint_id":"` + e + `","cause":"http_500","reason":"` + strings.Repeat("a", 501) + `"}`, "reason"},
		{"POST /v1/dead-letters/discard", `{"endpoint_id":"` + e + `","cause":"http_500","reason":"a\u0000"}`, "reason"},
		{"POST /v1/endpoints/" + e + "/replay-failed", `{"since":"2026-04-20T00:00:00"}`, "since"},
		{"POST /v1/endpoints/" + e + "/replay-failed", `{"since":"2026-04-20"}`, "since"},
		{"POST /v1/endpoints/" + e + "/replay-failed", `{"since":5}`, "since"},
		{"POST /v1/endpoints/" + e + "/replay-failed", `{"limit":1000000000000}`, "limit"},
		{"POST /v1/webhooks/" + e + "/replay-failed", `{"since":"yesterday"}`, "since"},
		{"POST /v1/webhooks/" + e + "/replay-failed", `{"until":"2026-04-20T00:00:00Z"}`, "until"},
		{"POST /v1/events/" + event + "/replay", `{"endpoint_ids":[]}`, "endpoint_ids"},
		{"POST /v1/events/" + event + "/replay", `{"endpoint_ids":"` + e + `"}`, "endpoint_ids"},
		{"POST /v1/events/" + event + "/replay", `{"destination_ids":["` + e + `"]}`, "destination_ids"},
		{"POST /v1/events/" + event + "/replay", `{"endpoint_ids":` + manyIDs(relay.PrefixEndpoint, million/10) + `}`, "endpoint_ids"},
		{"POST /v1/replays", `{"q":"a","canary":1000000000000}`, "canary"},
		{"POST /v1/replays", `{"q":"a","brake":-1}`, "brake"},
		{"POST /v1/replays", `{"q":"` + strings.Repeat("a", 501) + `"}`, "q"},
		{"POST /v1/replays", `{"event_ids":["` + event + `"],"endpoint_ids":` + manyIDs(relay.PrefixEndpoint, 1001) + `}`, "endpoint_ids"},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		fields := w.api(method, path, c.body).problem(t, 422, relay.KindValidation)
		if !cmp.Equal(fields, []string{c.field}) {
			t.Errorf("%s %.80s: %v, want %s", c.call, c.body, fields, c.field)
		}
	}
	if state := w.api("GET", "/v1/replays/"+job, nil).data(t, 200); state["status"] != "planned" || state["rate_limit"] != 50.0 {
		t.Errorf("the job changed: %v", state)
	}
	if rows := w.api("GET", "/v1/replays", nil).rows(t); len(rows) != 1 {
		t.Errorf("jobs: %v", rows)
	}
	if after := len(w.deliveriesOf(event)); after != before {
		t.Errorf("%d deliveries were made", after-before)
	}
}
