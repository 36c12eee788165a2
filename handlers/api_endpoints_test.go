package handlers

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

func TestEndpoints(t *testing.T) {
	t.Parallel()
	w := setup(t)
	src := w.source(nil)
	made := w.api("POST", "/api/v1/endpoints", object{
		"name": "Shop", "url": "https://shop.example.com/hooks", "description": "The shop", "source_ids": []any{src["id"]},
		"event_filter": []string{"invoice.*", "ping"}, "retry": object{"max_retries": 3, "initial_delay": 0.5, "max_delay": 60},
		"http_timeout": 20, "rate_limit": 5, "max_in_flight": 2, "authentication": object{"type": "bearer", "bearer": object{"token": "canary-token-of-20-bytes"}},
		"headers": object{"X-Team": "orders", "Authorization": "canary"}, "support_email": "ops@example.com", "slack_webhook_url": "https://hooks.slack.example/T1",
	}).data(t, 201)
	id := made["id"].(string)
	secret := made["secret"].(string)
	if !strings.HasPrefix(id, "whk_") || relay.CheckSecret(secret) != nil {
		t.Fatalf("id %s, secret %s", id, secret)
	}
	delete(made, "secret")
	want := object{
		"id": id, "project_id": relay.PrefixProject.Format(w.mine.project.ID), "name": "Shop", "url": "https://shop.example.com/hooks",
		"description": "The shop", "source_ids": []any{src["id"]}, "event_filter": []any{"invoice.*", "ping"}, "status": "active", "pause_reason": nil,
		"secrets": []any{object{"value": relay.MaskSecret(secret), "created_at": made["created_at"], "expires_at": nil}},
		"retry":   object{"max_retries": 3.0, "initial_delay": 0.5, "factor": 2.5, "max_delay": 60.0}, "http_timeout": 20.0,
		"rate_limit": 5.0, "rate_limit_duration": 60.0, "max_in_flight": 2.0,
		"authentication": object{"type": "bearer", "bearer": object{"token": relay.MaskSecret("canary-token-of-20-bytes")}},
		"headers":        object{"X-Team": "orders", "Authorization": "••••"}, "support_email": "ops@example.com",
		"slack_webhook_url": "https://hooks.slack.example/••••", "created_at": made["created_at"], "updated_at": made["updated_at"],
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Fatal(diff)
	}
	bare := strings.TrimPrefix(id, "whk_")
	for _, form := range []string{id, bare, strings.ReplaceAll(bare, "-", ""), "dst_" + bare, "ep_" + strings.ReplaceAll(bare, "-", "")} {
		got := w.api("GET", "/api/v1/endpoints/"+form, nil)
		if diff := cmp.Diff(want, got.data(t, 200)); diff != "" {
			t.Errorf("%s: %s", form, diff)
		}
		if strings.Contains(got.text, "canary") || strings.Contains(got.text, secret) {
			t.Errorf("a secret is shown: %s", got.text)
		}
	}
	for _, bad := range []string{"src_" + bare, "whk_", "whk_5", bare + "0", "%00", "whk_00000000-0000-0000-0000-000000000000"} {
		w.api("GET", "/api/v1/endpoints/"+bad, nil).problem(t, 400, relay.KindInvalidID)
	}

	// Sending the answer's own fields back changes nothing.
	same := w.api("PATCH", "/api/v1/endpoints/"+id, object{"authentication": want["authentication"], "headers": want["headers"], "retry": want["retry"]}).data(t, 200)
	want["updated_at"] = same["updated_at"]
	if diff := cmp.Diff(want, same); diff != "" {
		t.Error(diff)
	}
	eid, _ := relay.ParseID(relay.PrefixEndpoint, id)
	e, err := w.store.Endpoint(w.mine.project.ID, eid)
	w.must(err)
	if e.Authentication.Bearer.Token != "canary-token-of-20-bytes" || e.Headers.Get("authorization") != "canary" {
		t.Errorf("masks were stored: %+v %v", e.Authentication.Bearer, e.Headers)
	}

	for _, step := range []struct{ path, body, status string }{
		{"/pause", "", "paused"}, {"/pause", "{}", "paused"}, {"/resume", "", "active"},
	} {
		if got := w.api("POST", "/api/v1/endpoints/"+id+step.path, step.body).data(t, 200); got["status"] != step.status {
			t.Errorf("%s: %v", step.path, got["status"])
		}
	}
	if got := w.api("PATCH", "/v1/endpoints/"+id, object{"status": "disabled", "retry": object{"max_retries": 0}}).data(t, 200); got["status"] != "disabled" || got["retry"].(object)["initial_delay"] != 0.5 {
		t.Errorf("PATCH: %v", got)
	}
	if got := w.api("DELETE", "/api/v1/endpoints/"+id, nil); got.StatusCode != 204 {
		t.Error(got.text)
	}
	w.api("GET", "/api/v1/endpoints/"+id, nil).problem(t, 404, relay.KindNotFound)
}

func TestRotateSecret(t *testing.T) {
	t.Parallel()
	w := setup(t)
	own := relay.NewSecret()
	made := w.endpointFor(object{"secret": own})
	if made["secret"] != own {
		t.Errorf("a secret that is given is kept: %v", made["secret"])
	}
	path := "/api/v1/endpoints/" + made["id"].(string) + "/secrets/rotate"
	rotated := w.api("POST", path, object{"expire_after": 60}).data(t, 200)
	secrets := rotated["secrets"].([]any)
	if len(secrets) != 2 || rotated["secret"] == own || secrets[0].(object)["expires_at"] == nil || secrets[1].(object)["expires_at"] != nil {
		t.Errorf("both sign for a minute: %v", rotated)
	}
	if at := w.api("POST", path, object{"expire_after": 0}).data(t, 200); len(at["secrets"].([]any)) != 1 {
		t.Errorf("expire_after 0 ends the others at once: %v", at["secrets"])
	}
	for _, bad := range []any{object{"expire_after": -1}, object{"expire_after": 1e300}, object{"expire_after": "1h"}} {
		if fields := w.api("POST", path, bad).problem(t, 422, relay.KindValidation); fields[0] != "expire_after" {
			t.Error(fields)
		}
	}
	w.api("PATCH", "/api/v1/endpoints/"+made["id"].(string), object{"secret": own}).problem(t, 422, relay.KindValidation)
}

func TestEndpointsRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	foreign := w.call("POST", "/api/v1/sources", object{"name": "x"}, "X-API-Key", w.other.write).data(t, 201)["id"]
	unknown := relay.PrefixSource.Format(relay.NewID())
	for _, c := range []struct {
		fields object
		status int
		field  string
	}{
		{object{"name": ""}, 422, "name"},
		{object{"url": nil}, 422, "url"},
		{object{"url": "http://127.0.0.1/"}, 422, "url"},
		{object{"url": "http://169.254.169.254/latest"}, 422, "url"},
		{object{"url": "http://[::ffff:127.0.0.1]/"}, 422, "url"},
		{object{"url": "http://user:pass@example.com/"}, 422, "url"},
		{object{"url": "file:///etc/passwd"}, 422, "url"},
		{object{"slack_webhook_url": "http://localhost/"}, 422, "slack_webhook_url"},
		{object{"retry": object{"max_retries": 31}}, 422, "retry.max_retries"},
		{object{"retry": object{"initial_delay": -1}}, 422, "retry.initial_delay"},
		{object{"retry": object{"times": 3}}, 422, "retry.times"},
		{object{"http_timeout": 61}, 422, "http_timeout"},
		{object{"http_timeout": 1e308}, 422, "http_timeout"},
		{object{"status": "sleeping"}, 422, "status"},
		{object{"secret": "short"}, 422, "secret"},
		{object{"event_filter": []string{"a*b"}}, 422, "event_filter[0]"},
		{object{"authentication": object{"type": "bearer"}}, 422, "authentication.bearer.token"},
		{object{"headers": object{"Content-Length": "5"}}, 422, "headers.Content-Length"},
		{object{"headers": object{"X-A": "b\r\nc: d"}}, 422, "headers.X-A"},
		{object{"headers": object{"X-A": 5}}, 422, "headers"},
		{object{"source_ids": []any{unknown}}, 422, "source_ids"},
		{object{"source_ids": []any{foreign}}, 422, "source_ids"},
		{object{"source_ids": []any{"evt_1"}}, 400, "source_ids"},
		{object{"project_id": relay.PrefixProject.Format(w.other.project.ID)}, 422, "project_id"},
		{object{"id": "whk_1", "created_at": "2026-01-01T00:00:00Z"}, 422, "created_at"},
	} {
		in := object{"name": "Shop", "url": "https://shop.example.com/"}
		for k, v := range c.fields {
			in[k] = v
		}
		code := relay.KindValidation
		if c.status == 400 {
			code = relay.KindInvalidID
		}
		fields := w.api("POST", "/api/v1/endpoints", in).problem(t, c.status, code)
		if len(fields) == 0 || fields[0] != c.field {
			t.Errorf("%v: %v", c.fields, fields)
		}
	}
	if rows := w.api("GET", "/api/v1/endpoints", nil).rows(t); len(rows) != 0 {
		t.Errorf("refused ones were stored: %v", rows)
	}
}

func TestFireTest(t *testing.T) {
	t.Parallel()
	w := setup(t)
	e := w.endpointFor(object{"event_filter": []string{"other"}})
	w.endpointFor(nil)
	id := e["id"].(string)
	d := w.api("POST", "/api/v1/endpoints/"+id+"/test-fire", object{"event": "message.delivered"}).data(t, 202)
	if d["trigger"] != "test" || d["webhook_id"] != id || d["status"] != "pending" {
		t.Errorf("delivery: %v", d)
	}
	ev := w.api("GET", "/api/v1/events/"+d["event_id"].(string), nil).data(t, 200)
	if ev["is_test"] != true || ev["source_id"] != nil || ev["event_type"] != "message.delivered" || !strings.Contains(ev["body"].(string), `"test":true`) {
		t.Errorf("event: %v", ev)
	}
	if n := len(w.deliveriesOf(d["event_id"].(string))); n != 1 {
		t.Errorf("%d deliveries, want one, to this endpoint only", n)
	}
	// The native call and sendoka's share one budget.
	for range 19 {
		w.api("POST", "/api/v1/webhooks/"+id+"/test-fire", object{"event": "ping"}).json(t, 202)
	}
	limited := w.api("POST", "/api/v1/endpoints/"+id+"/test-fire", object{"event": "ping"})
	limited.problem(t, 429, relay.KindTestFireLimited)
	if limited.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if fields := w.api("POST", "/api/v1/endpoints/"+id+"/test-fire", `{}`).problem(t, 422, relay.KindValidation); fields[0] != "event" {
		t.Error(fields)
	}
}

// TestPastedURLsAreTidied creates and changes endpoints with URLs as people
// paste them, through the API and the form.
func TestPastedURLsAreTidied(t *testing.T) {
	t.Parallel()
	w := setup(t)
	made := w.endpointFor(object{"url": " https://bücher.example/hooks\n", "slack_webhook_url": "\thttps://hooks.slack.example/T1 "})
	if made["url"] != "https://xn--bcher-kva.example/hooks" || made["slack_webhook_url"] != "https://hooks.slack.example/••••" {
		t.Errorf("made: %v %v", made["url"], made["slack_webhook_url"])
	}
	path := "/api/v1/endpoints/" + made["id"].(string)
	if got := w.api("PATCH", path, object{"url": "https://例え.テスト "}).data(t, 200)["url"]; got != "https://xn--r8jz45g.xn--zckzah" {
		t.Errorf("changed: %v", got)
	}
	w.api("PATCH", path, object{"url": "http://①②⑦.⓪.⓪.①/"}).problem(t, 422, relay.KindValidation)
}
