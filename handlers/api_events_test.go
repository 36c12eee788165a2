package handlers

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	w := setup(t)
	src := w.source(object{"slug": "orders", "idempotency_keys": []string{"request.header.X-Id"}, "verifier": object{"type": "api_key", "header_name": "X-Token", "header_value": "canary-token"}})
	wanted := w.endpointFor(object{"name": "wanted", "event_filter": []string{"order.*"}})
	filtered := w.endpointFor(object{"name": "filtered", "event_filter": []string{"invoice.*"}})
	elsewhere := w.endpointFor(object{"name": "elsewhere", "source_ids": []any{w.source(nil)["id"]}})
	id := w.call("POST", "/in/orders?a=1&a=2", `{"type":"order.paid","<b>":"é"}`, "Content-Type", "application/json", "X-Id", "k1", "X-Token", "canary-token",
		"X-Many", "one", "X-Many", "two", "Cookie", "canary=1").json(t, 202)["event_id"].(string)
	got := w.api("GET", "/api/v1/events/"+id, nil)
	ev := got.data(t, 200)
	headers := ev["headers"].(object)
	delete(ev, "headers")
	route := func(e object, matched bool, reason string) object {
		return object{"endpoint_id": e["id"], "endpoint_name": e["name"], "matched": matched, "reason": reason}
	}
	want := object{
		"id": id, "project_id": relay.PrefixProject.Format(w.mine.project.ID), "source_id": src["id"], "event_type": "order.paid", "status": "forwarding",
		"signature_valid": true, "verdict": "valid", "method": "POST", "path": "", "query": "a=1&a=2", "content_type": "application/json", "body": `{"type":"order.paid","<b>":"é"}`,
		"body_encoding": "text", "size": 32.0, "idempotency_key": "k1", "is_duplicate": false, "duplicate_of": nil, "is_test": false, "received_at": ev["received_at"],
		"routing": []any{route(wanted, true, "matched"), route(filtered, false, "event_type_filtered"), route(elsewhere, false, "source_not_subscribed")},
	}
	if diff := cmp.Diff(want, ev); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]any{"one", "two"}, headers["X-Many"]); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(got.text, "canary") {
		t.Errorf("credentials are shown: %s", got.text)
	}
	d := w.deliveriesOf(id)
	if len(d) != 1 || d[0]["webhook_id"] != wanted["id"] || d[0]["event_id"] != id || d[0]["trigger"] != "ingest" {
		t.Errorf("deliveries: %v", d)
	}

	for query, n := range map[string]int{
		"": 1, "q=" + id: 1, "q=order": 1, "q=nothing-like-it": 0, "event_type=order.paid": 1, "status=forwarding": 1, "status=failed": 0,
		"signature_valid=true": 1, "signature_valid=false": 0, "idempotency_key=k1": 1, "source_id=" + src["id"].(string): 1,
		"from=2020-01-01T00:00:00Z": 1, "to=2020-01-01T00:00:00Z": 0,
	} {
		if rows := w.api("GET", "/api/v1/events?"+query, nil).rows(t); len(rows) != n {
			t.Errorf("%q: %d events, want %d", query, len(rows), n)
		}
	}
}

func TestEventBodies(t *testing.T) {
	t.Parallel()
	w := setup(t)
	src := w.source(nil)
	for _, body := range []string{"", "\x00\xff\xfe", `<svg onload=alert(1)>`, "\u2028 ☃", `{"a":"\ud800\u0000"}`} {
		id := w.event(src, body, "Content-Type", "text/html")
		ev := w.api("GET", "/api/v1/events/"+id, nil).data(t, 200)
		text := ev["body"].(string)
		if ev["body_encoding"] == "base64" {
			raw, err := base64.StdEncoding.DecodeString(text)
			w.must(err)
			text = string(raw)
		}
		if text != body {
			t.Errorf("body %q came back as %q", body, text)
		}
		raw := w.api("GET", "/api/v1/events/"+id+"/raw", nil)
		if raw.text != body || raw.StatusCode != 200 {
			t.Errorf("raw: %q", raw.text)
		}
		for name, want := range map[string]string{
			"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff",
			"Content-Disposition": `attachment; filename="` + id + `.bin"`, "Cache-Control": "no-store",
		} {
			if got := raw.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if !strings.Contains(raw.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Error("the download is not sandboxed")
		}
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	w := setup(t)
	e := w.endpointFor(nil)
	out := w.api("POST", "/api/v1/events", `{"event_type":"invoice.paid", "idempotency_key":"k1", "data": {"b": 1.0,  "a":"\u00e9", "b":2}}`).data(t, 202)
	if out["duplicate"] != false || out["status"] != "forwarding" || out["id"] != out["event_id"] {
		t.Errorf("published: %v", out)
	}
	ev := w.api("GET", "/v1/events/"+out["id"].(string), nil)
	if got := ev.data(t, 200); got["body"] != `{"b": 1.0,  "a":"\u00e9", "b":2}` || got["event_type"] != "invoice.paid" || got["content_type"] != "application/json" {
		t.Errorf("event: %v", got)
	}
	if strings.Contains(ev.text, w.mine.write) {
		t.Error("the key became a part of the event")
	}
	src := w.api("GET", "/api/v1/sources", nil).rows(t)
	if len(src) != 1 || src[0]["type"] != "rest_api" || src[0]["name"] != "API" {
		t.Fatalf("sources: %v", src)
	}
	if d := w.deliveriesOf(out["id"].(string)); len(d) != 1 || d[0]["webhook_id"] != e["id"] {
		t.Errorf("deliveries: %v", d)
	}
	again := w.api("POST", "/api/v1/events", object{"event_type": "invoice.paid", "idempotency_key": "k1", "data": 1}).data(t, 200)
	if again["duplicate"] != true || again["id"] != out["id"] {
		t.Errorf("again: %v", again)
	}
	if null := w.api("POST", "/api/v1/events", `{"event_type":"x","data":null,"source_id":"`+src[0]["id"].(string)+`"}`).data(t, 202); null["size"] != 4.0 {
		t.Errorf("null is a value too: %v", null)
	}
	if n := len(w.api("GET", "/api/v1/sources", nil).rows(t)); n != 1 {
		t.Errorf("%d sources", n)
	}
	w.call("POST", "/in/"+src[0]["slug"].(string), "{}").problem(t, 404, relay.KindNotFound)

	hooks := w.source(nil)["id"].(string)
	foreign := w.call("POST", "/v1/sources", object{"name": "x", "type": "rest_api"}, "Authorization", w.other.write).data(t, 201)["id"].(string)
	for body, field := range map[string]string{
		`{"data":1}`: "event_type", `{"event_type":"a"}`: "data", `{"event_type":"a\u0000","data":1}`: "event_type",
		`{"event_type":"a","data":1,"source_id":"` + hooks + `"}`: "source_id", `{"event_type":"a","data":1,"source_id":"` + foreign + `"}`: "source_id",
		`{"event_type":"a","data":1,"idempotency_key":""}`: "idempotency_key", `{"event_type":"a","data":1,"type":"b"}`: "type",
	} {
		if fields := w.api("POST", "/api/v1/events", body).problem(t, 422, relay.KindValidation); fields[0] != field {
			t.Errorf("%s: %v", body, fields)
		}
	}
	w.api("PATCH", "/api/v1/sources/"+src[0]["id"].(string), object{"is_disabled": true}).data(t, 200)
	w.api("POST", "/api/v1/events", object{"event_type": "x", "data": 1}).problem(t, 410, relay.KindGone)
}

func TestReplayEvent(t *testing.T) {
	t.Parallel()
	w := setup(t)
	src := w.source(object{"verifier": object{"type": "github", "secret": "canary"}})
	open := w.source(nil)
	first := w.endpointFor(object{"event_filter": []string{"push"}})
	id := w.event(open, `{"type":"push"}`)
	w.settle(relay.DeliveryDelivered, 200)
	second := w.endpointFor(object{"event_filter": []string{"other"}})
	third := w.endpointFor(object{"source_ids": []any{src["id"]}})

	out := w.api("POST", "/api/v1/events/"+id+"/replay", nil).data(t, 202)
	if diff := cmp.Diff([]any{first["id"]}, out["endpoint_ids"]); diff != "" || out["replayed_to"] != 1.0 {
		t.Errorf("what matches now: %v", out)
	}
	if ev := w.api("GET", "/api/v1/events/"+id, nil).data(t, 200); ev["status"] != "forwarding" {
		t.Errorf("event: %v", ev["status"])
	}
	d := out["deliveries"].([]any)[0].(object)
	if d["trigger"] != "replay" || d["replay_of"] == nil || d["status"] != "pending" {
		t.Errorf("delivery: %v", d)
	}
	if old := w.api("GET", "/api/v1/deliveries/"+d["replay_of"].(string), nil).data(t, 200); old["status"] != "delivered" || old["replayed_by"] != d["id"] {
		t.Errorf("the old one: %v", old)
	}
	named := w.api("POST", "/api/v1/events/"+id+"/replay", object{"endpoint_ids": []any{second["id"], second["id"]}}).data(t, 202)
	if diff := cmp.Diff([]any{second["id"]}, named["endpoint_ids"]); diff != "" {
		t.Errorf("the filter is not applied to named ones: %s", diff)
	}
	for _, bad := range []any{third["id"], relay.PrefixEndpoint.Format(relay.NewID())} {
		if fields := w.api("POST", "/api/v1/events/"+id+"/replay", object{"endpoint_ids": []any{first["id"], bad}}).problem(t, 422, relay.KindValidation); fields[0] != "endpoint_ids" {
			t.Error(fields)
		}
	}
	w.api("POST", "/api/v1/events/"+id+"/replay", object{"endpoint_ids": []any{}}).problem(t, 422, relay.KindValidation)
	w.api("POST", "/api/v1/events/"+id+"/replay", object{"endpoint_ids": []any{"x"}}).problem(t, 400, relay.KindInvalidID)

	w.call("POST", "/in/"+src["slug"].(string), "forged").problem(t, 401, relay.KindUnauthorized)
	rejected := w.api("GET", "/api/v1/events?signature_valid=false", nil).rows(t)
	if len(rejected) != 1 || rejected[0]["status"] != "rejected" || rejected[0]["verdict"] != "missing_header" {
		t.Fatalf("rejected: %v", rejected)
	}
	w.api("POST", "/api/v1/events/"+rejected[0]["id"].(string)+"/replay", nil).problem(t, 409, relay.KindNotReplayable)
}

func TestDeliveries(t *testing.T) {
	t.Parallel()
	w := setup(t)
	e := w.endpointFor(nil)
	id := w.event(w.source(nil), "x")
	w.settle(relay.DeliveryDLQ, 500)
	row := w.deliveriesOf(id)[0]
	path := "/api/v1/deliveries/" + row["id"].(string)
	got := w.api("GET", path, nil)
	d := got.data(t, 200)
	log := d["attempt_log"].([]any)
	delete(d, "attempt_log")
	want := object{
		"id": row["id"], "webhook_id": e["id"], "endpoint_id": e["id"], "event_id": id, "source_id": row["source_id"], "event_type": "unknown", "status": "dlq",
		"attempts": 1.0, "next_attempt_at": nil, "last_response_status": 500.0, "last_response_excerpt": "the answer", "last_error": "The endpoint answered with an error.",
		"delivered_at": nil, "created_at": row["created_at"], "trigger": "ingest", "replay_id": nil, "replay_of": nil, "replayed_by": nil, "discard_reason": nil,
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
	attempt := log[0].(object)
	delete(attempt, "id")
	delete(attempt, "started_at")
	wantAttempt := object{
		"number": 1.0, "outcome": "http_status", "duration_ms": 12.5, "url": "https://shop.example.com/hooks",
		"request_headers": object{"Authorization": []any{"Bearer ••••"}, "X-Team": []any{"a"}}, "status": 500.0,
		"response_headers": object{"X-Reply": []any{"1", "2"}}, "response_excerpt": "the answer", "truncated": false, "error": "The endpoint answered with an error.",
	}
	if diff := cmp.Diff(wantAttempt, attempt); diff != "" || len(log) != 1 {
		t.Error(diff)
	}
	for query, n := range map[string]int{"status=failed": 1, "status=dlq": 1, "status=pending": 0, "endpoint_id=" + e["id"].(string): 1, "event_type=unknown": 1} {
		if rows := w.api("GET", "/api/v1/deliveries?"+query, nil).rows(t); len(rows) != n {
			t.Errorf("%s: %d", query, len(rows))
		}
	}

	retried := w.api("POST", path+"/retry", nil).data(t, 200)
	if retried["status"] != "pending" || retried["attempts"] != 0.0 || retried["next_attempt_at"] == nil || retried["last_error"] != nil || retried["id"] != row["id"] {
		t.Errorf("retried: %v", retried)
	}
	if log := w.api("GET", path, nil).data(t, 200)["attempt_log"].([]any); len(log) != 1 {
		t.Errorf("the log lost attempts: %v", log)
	}
	w.settle(relay.DeliveryDelivered, 200)
	replayed := w.api("POST", path+"/replay", nil).data(t, 202)
	if replayed["id"] == row["id"] || replayed["replay_of"] != row["id"] || replayed["trigger"] != "replay" {
		t.Errorf("replayed: %v", replayed)
	}
	again := "/api/v1/deliveries/" + replayed["id"].(string)
	discarded := w.api("POST", again+"/discard", object{"reason": "a mistake"}).data(t, 200)
	if discarded["status"] != "discarded" || discarded["discard_reason"] != "a mistake" || discarded["next_attempt_at"] != nil {
		t.Errorf("discarded: %v", discarded)
	}
	w.api("POST", again+"/discard", nil).problem(t, 409, relay.KindConflict)
	w.api("POST", path+"/discard", nil).problem(t, 409, relay.KindConflict)
}
