package handlers

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

func TestSources(t *testing.T) {
	t.Parallel()
	w := setup(t)
	made := w.api("POST", "/api/v1/sources", object{
		"name": "GitHub", "slug": "github", "event_type_location": "request.header.X-GitHub-Event",
		"verifier":        object{"type": "hmac", "hmac": object{"header": "X-Hub-Signature-256", "hash": "sha256", "secret": "canary-secret", "encoding": "hex", "prefix": "sha256="}},
		"custom_response": object{"status": 200, "content_type": "application/json", "body": "{}"}, "idempotency_keys": []string{"request.header.X-GitHub-Delivery"},
		"forward_headers": []string{"X-GitHub-Event"}, "retention_days": 7, "rate_limit": 100,
	}).data(t, 201)
	id := made["id"].(string)
	want := object{
		"id": id, "project_id": relay.PrefixProject.Format(w.mine.project.ID), "name": "GitHub", "slug": "github", "type": "http", "provider": nil,
		"verifier":            object{"type": "hmac", "hmac": object{"header": "X-Hub-Signature-256", "hash": "sha256", "secret": "••••", "encoding": "hex", "prefix": "sha256="}},
		"event_type_location": "request.header.X-GitHub-Event", "idempotency_keys": []any{"request.header.X-GitHub-Delivery"},
		"custom_response": object{"status": 200.0, "content_type": "application/json", "body": "{}"}, "forward_headers": []any{"X-GitHub-Event"},
		"retention_days": 7.0, "rate_limit": 100.0, "is_disabled": false, "created_at": made["created_at"], "updated_at": made["updated_at"],
		"url": testURL + "/in/github",
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Fatal(diff)
	}
	for _, path := range []string{"/api/v1/sources/" + id, "/v1/sources/" + id, "/v1/sources/" + strings.TrimPrefix(id, "src_"),
		"/v1/sources/" + strings.ReplaceAll(strings.TrimPrefix(id, "src_"), "-", "")} {
		if diff := cmp.Diff(want, w.api("GET", path, nil).data(t, 200)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}

	changed := w.api("PATCH", "/api/v1/sources/"+id, object{
		"name": "Hub", "retention_days": nil, "custom_response": nil, "verifier": object{"hmac": object{"hash": "sha512"}}}).data(t, 200)
	want["name"], want["retention_days"], want["custom_response"], want["updated_at"] = "Hub", 30.0, nil, changed["updated_at"]
	want["verifier"].(object)["hmac"].(object)["hash"] = "sha512"
	if diff := cmp.Diff(want, changed); diff != "" {
		t.Errorf("PATCH changes what is given only: %s", diff)
	}
	sid, _ := relay.ParseID(relay.PrefixSource, id)
	if src, err := w.store.Source(w.mine.project.ID, sid); err != nil || src.Verifier.HMAC.Secret != "canary-secret" {
		t.Errorf("the secret did not survive a change beside it: %+v %v", src, err)
	}
	if list := w.api("GET", "/api/v1/sources", nil); strings.Contains(list.text, "canary-secret") || len(list.rows(t)) != 1 {
		t.Errorf("list: %s", list.text)
	}

	if got := w.api("DELETE", "/api/v1/sources/"+id, nil); got.StatusCode != 204 || got.text != "" {
		t.Errorf("DELETE: %d %s", got.StatusCode, got.text)
	}
	w.api("GET", "/api/v1/sources/"+id, nil).problem(t, 404, relay.KindNotFound)
	w.call("POST", "/in/github", "x").problem(t, 404, relay.KindNotFound)
}

func TestVerifierForms(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for name, c := range map[string]struct{ in, want object }{
		"flat hmac": {object{"type": "hmac", "header": "X-Sig", "secret": "s3cret"},
			object{"type": "hmac", "hmac": object{"header": "X-Sig", "hash": "sha256", "secret": "••••", "encoding": "hex", "prefix": ""}}},
		"basic auth":      {object{"type": "basic_auth", "username": "u", "password": "p"}, object{"type": "basic_auth", "basic_auth": object{"username": "u", "password": "••••"}}},
		"nested api key":  {object{"type": "api_key", "api_key": object{"header_name": "X-Key", "header_value": "v"}}, object{"type": "api_key", "api_key": object{"header_name": "X-Key", "header_value": "••••"}}},
		"flat api key":    {object{"type": "api_key", "header_name": "X-Key", "header_value": "v"}, object{"type": "api_key", "api_key": object{"header_name": "X-Key", "header_value": "••••"}}},
		"provider preset": {object{"type": "github", "secret": "It's a Secret to Everybody"}, object{"type": "github", "secret": "It…dy"}},
	} {
		got := w.source(object{"name": name, "verifier": c.in})
		if diff := cmp.Diff(c.want, got["verifier"]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		// What an answer showed can be sent back.
		same := w.api("PATCH", "/api/v1/sources/"+got["id"].(string), object{"verifier": got["verifier"]}).data(t, 200)
		if diff := cmp.Diff(c.want, same["verifier"]); diff != "" {
			t.Errorf("%s, sent back: %s", name, diff)
		}
		id, _ := relay.ParseID(relay.PrefixSource, got["id"].(string))
		src, err := w.store.Source(w.mine.project.ID, id)
		if err != nil || src.Validate() != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, secret := range []string{src.Verifier.Secret} {
			if strings.Contains(secret, "…") {
				t.Errorf("%s: the mask was stored", name)
			}
		}
	}
	byProvider := w.source(object{"name": "by provider", "provider": "stripe", "verifier": object{"secret": "whsec_0123456789abcdef0123456789"}})
	if byProvider["verifier"].(object)["type"] != "stripe" {
		t.Errorf("a provider with a secret: %v", byProvider["verifier"])
	}
}

func TestSourcesRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.source(object{"slug": "taken"})
	for _, c := range []struct {
		body   any
		status int
		code   relay.Kind
		fields []string
	}{
		{`{`, 400, relay.KindInvalidRequest, nil},
		{``, 400, relay.KindInvalidRequest, nil},
		{`{"name":"a"} x`, 400, relay.KindInvalidRequest, nil},
		{"\ufeff{}", 400, relay.KindInvalidRequest, nil},
		{strings.Repeat("[", 200_000), 400, relay.KindInvalidRequest, nil},
		{`[]`, 422, relay.KindValidation, []string{"body"}},
		{`{}`, 422, relay.KindValidation, []string{"name"}},
		{`{"name":"a","xname":1,"project_id":"x","__proto__":{}}`, 422, relay.KindValidation, []string{"__proto__", "project_id", "xname"}},
		{`{"name":"a","verifier":{"type":"noop","tpye":1}}`, 422, relay.KindValidation, []string{"verifier.tpye"}},
		{`{"Name":"a"}`, 422, relay.KindValidation, []string{"Name"}},
		{`{"name":1,"retention_days":"7","is_disabled":"no","idempotency_keys":"x","verifier":[]}`, 422, relay.KindValidation,
			[]string{"name", "verifier", "idempotency_keys", "retention_days", "is_disabled"}},
		{`{"name":"a","retention_days":0,"rate_limit":-1}`, 422, relay.KindValidation, []string{"retention_days", "rate_limit"}},
		{`{"name":"a","retention_days":1.5}`, 422, relay.KindValidation, []string{"retention_days"}},
		{`{"name":"a","verifier":{"type":"hmac"}}`, 422, relay.KindValidation, []string{"verifier.hmac.header", "verifier.hmac.secret"}},
		{`{"name":"a","verifier":{"type":"ed25519-magic"}}`, 422, relay.KindValidation, []string{"verifier.type"}},
		{`{"name":"a","slug":"API"}`, 422, relay.KindValidation, []string{"slug"}},
		{`{"name":"a","slug":"api"}`, 422, relay.KindValidation, []string{"slug"}},
		{`{"name":"a","slug":"taken"}`, 409, relay.KindConflict, []string{"slug"}},
		{`{"name":"a","name":"b","slug":"twice-is-fine"}`, 201, "", nil},
	} {
		got := w.api("POST", "/api/v1/sources", c.body)
		if c.status < 300 {
			got.data(t, c.status)
			continue
		}
		fields := got.problem(t, c.status, c.code)
		if diff := cmp.Diff(c.fields, fields); diff != "" {
			t.Errorf("%.60v: %s", c.body, diff)
		}
	}
}

func TestParamsRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for query, want := range map[string][]string{
		"limit=0": {"limit"}, "limit=-1": {"limit"}, "limit=101": {"limit"}, "limit=abc": {"limit"}, "limit=5;drop": {"limit"},
		"limit=99999999999999999999": {"limit"}, "limit=1&limit=2": {"limit"}, "limit=": {"limit"}, "limit=1e1": {"limit"}, "limit=+5": {"limit"},
		"offset=3": {"offset"}, "sort=password_hash": {"sort"}, "status=sent": {"status"}, "from=yesterday": {"from"}, "to=2026-13-01T00:00:00Z": {"to"},
		"event_type=%00": {"event_type"}, "event_type=%ff": {"event_type"},
	} {
		if diff := cmp.Diff(want, w.api("GET", "/api/v1/deliveries?"+query, nil).problem(t, 422, relay.KindValidation)); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	for _, query := range []string{"endpoint_id=5", "event_id=whk_0190a000-0000-7000-8000-000000000001", "replay_id=%27%20OR%201=1--"} {
		w.api("GET", "/api/v1/deliveries?"+query, nil).problem(t, 400, relay.KindInvalidID)
	}
	w.api("GET", "/api/v1/deliveries?cursor=AAAA", nil).problem(t, 400, relay.KindInvalidRequest)
	w.api("GET", "/api/v1/events?signature_valid=1", nil).problem(t, 422, relay.KindValidation)
	for _, text := range []string{"%27%20OR%201=1--", "%22);DROP", "$1", "%3F", "%3F%3F", "%5C", "%25", "_"} {
		if rows := w.api("GET", "/api/v1/events?event_type="+text+"&q="+text+"&idempotency_key="+text, nil).rows(t); len(rows) != 0 {
			t.Errorf("%s found %v", text, rows)
		}
	}
	if rows := w.api("GET", "/api/v1/deliveries?from=2026-01-01T00:00:00%2B02:00&to=2026-01-01T00:00:00+02:00", nil).rows(t); len(rows) != 0 {
		t.Error(rows)
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	w := setup(t)
	var made []string
	for range 7 {
		w.clock.advance(2e6)
		made = append(made, w.source(nil)["id"].(string))
	}
	var seen []string
	path := "/api/v1/sources?limit=3"
	for range 5 {
		page := w.api("GET", path, nil).json(t, 200)
		for _, row := range page["data"].([]any) {
			seen = append(seen, row.(object)["id"].(string))
		}
		next, more := page["next_cursor"].(string)
		if page["has_more"] != more {
			t.Errorf("has_more and next_cursor do not agree: %v", page)
		}
		if !more {
			break
		}
		path = "/api/v1/sources?limit=3&cursor=" + next
	}
	for i := range made[:len(made)/2] {
		made[i], made[len(made)-1-i] = made[len(made)-1-i], made[i]
	}
	if diff := cmp.Diff(made, seen); diff != "" {
		t.Errorf("newest first, each once: %s", diff)
	}
	foreign := w.call("GET", path, nil, "X-Api-Key", w.other.read)
	foreign.problem(t, 400, relay.KindInvalidRequest)
}
