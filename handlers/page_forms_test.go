package handlers

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

// fieldsOf are the fields of the form that posts to a path, as a browser would
// send them back untouched.
func (p *shown) fieldsOf(action string) url.Values {
	p.Helper()
	values := url.Values{}
	for _, form := range p.elements("form") {
		if attr(form, "action") != action {
			continue
		}
		for n := range form.Descendants() {
			name, kind := attr(n, "name"), attr(n, "type")
			switch {
			case name == "" || n.Data == "button":
			case n.Data == "textarea" && n.FirstChild != nil:
				values.Add(name, n.FirstChild.Data)
			case n.Data == "select":
				for o := range n.Descendants() {
					if o.Data == "option" && slices.ContainsFunc(o.Attr, isKey("selected")) {
						values.Set(name, attr(o, "value"))
					}
				}
			case n.Data == "input" && (kind != "checkbox" && kind != "radio" || slices.ContainsFunc(n.Attr, isKey("checked"))):
				values.Add(name, attr(n, "value"))
			}
		}
		return values
	}
	p.Fatalf("%s has no form to %s", p.path, action)
	return nil
}

func TestSourceForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.loggedIn()
	form := b.get("/sources/new").wants(http.StatusOK).fieldsOf("/sources")
	form.Set("name", "")
	form.Set("retention_days", "soon")
	form.Set("verifier_type", "hmac")
	form.Set("idempotency_keys", "request.header.X-Id\r\nnonsense")
	bad := b.post("/sources", form).wants(http.StatusUnprocessableEntity)
	bad.says("must not be empty", "must be a whole number", "must be the name of a header", "must be a place such as")

	form = bad.fieldsOf("/sources")
	for name, value := range map[string]string{
		"name": "GitHub", "slug": "shop", "retention_days": "7", "hmac_header": "X-Hub-Signature-256", "hmac_hash": "sha256",
		"hmac_secret": "s3cret canary", "hmac_encoding": "hex", "hmac_prefix": "sha256=", "idempotency_keys": "request.header.X-Id",
		"custom_response_status": "200", "custom_response_body": "ok", "rate_limit": "50", "forward_headers": "X-A, X-B",
		"basic_auth_username": "ignored",
	} {
		form.Set(name, value)
	}
	b.post("/sources", form).wants(http.StatusUnprocessableEntity).says("is taken; choose another one")
	form.Set("slug", "")
	made := b.post("/sources", form)
	made.follow().says("Created the source GitHub.", s.url+"/in/github-").hides("s3cret canary")

	id, err := relay.ParseID(relay.PrefixSource, strings.TrimPrefix(made.Header.Get("Location"), "/sources/"))
	s.check(err)
	src, err := s.store.Source(s.project.ID, id)
	s.check(err)
	want := relay.Source{
		ID: id, ProjectID: s.project.ID, Name: "GitHub", Slug: src.Slug, Type: relay.SourceHTTP, RetentionDays: 7, RateLimit: 50,
		Verifier: relay.Verifier{Type: "hmac", HMAC: &relay.HMACVerifier{
			Header: "X-Hub-Signature-256", Hash: "sha256", Secret: "s3cret canary", Encoding: "hex", Prefix: "sha256=",
		}},
		IdempotencyKeys: []string{"request.header.X-Id"}, ForwardHeaders: []string{"X-A", "X-B"},
		CustomResponse: &relay.CustomResponse{Status: 200, Body: "ok"}, CreatedAt: src.CreatedAt, UpdatedAt: src.UpdatedAt,
	}
	if diff := cmp.Diff(want, *src); diff != "" {
		t.Error(diff)
	}

	// The settings as they are shown, sent back untouched, change nothing.
	form = b.get(sourcePath(id) + "?tab=settings").hides("s3cret canary").fieldsOf(sourcePath(id))
	b.post(sourcePath(id), form).follow().says("Saved the settings of GitHub.")
	src, err = s.store.Source(s.project.ID, id)
	s.check(err)
	want.UpdatedAt = src.UpdatedAt
	if diff := cmp.Diff(want, *src); diff != "" {
		t.Error(diff)
	}

	form.Set("verifier_type", "stripe")
	b.post(sourcePath(id), form).wants(http.StatusUnprocessableEntity).says("must not be empty")
	form.Set("secret", "whsec_abc")
	b.post(sourcePath(id), form).follow()
	src, err = s.store.Source(s.project.ID, id)
	s.check(err)
	if diff := cmp.Diff(relay.Verifier{Type: "stripe", Secret: "whsec_abc"}, src.Verifier); diff != "" || src.Provider != "stripe" {
		t.Error(src.Provider, diff)
	}

	b.post(sourcePath(id)+"/delete", url.Values{"confirm": {"wrong"}}).wants(http.StatusUnprocessableEntity).says("must be " + src.Slug)
	b.post(sourcePath(id)+"/delete", url.Values{"confirm": {src.Slug}}).follow().says("Deleted the source GitHub.")
	b.get(sourcePath(id)).wants(http.StatusNotFound)
	if diff := cmp.Diff([]string{"source.deleted", "source.updated", "source.updated", "source.created"}, s.actions()[:4]); diff != "" {
		t.Error(diff)
	}
}

func TestEndpointForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.loggedIn()
	form := b.get("/endpoints/new").wants(http.StatusOK).fieldsOf("/endpoints")
	form.Set("url", "http://127.0.0.1/")
	form.Set("http_timeout", "600")
	form.Set("headers", "no colon\nHost: x")
	bad := b.post("/endpoints", form).wants(http.StatusUnprocessableEntity)
	bad.says("must not be empty", "must lead to a public address", "must be a number of seconds from 1 to 60", `must have one "Name: value" a line`)

	form = bad.fieldsOf("/endpoints")
	for name, value := range map[string]string{
		"name": "Orders", "url": "https://orders.acme.example/hook", "http_timeout": "5.5", "headers": "X-Team: a\r\nAuthorization: Bearer canary",
		"event_filter": "order.*, invoice.paid", "retry_max_retries": "3", "retry_initial_delay": "0.5", "rate_limit": "10",
		"rate_limit_duration": "30", "authentication_type": "bearer", "bearer_token": "canary token", "support_email": "ops@acme.example",
	} {
		form.Set(name, value)
	}
	form["source_ids"] = []string{relay.PrefixSource.Format(s.source.ID)}
	made := b.post("/endpoints", form).follow().says("Orders", "whsec_")
	if made.Header.Get("Cache-Control") != "no-store" {
		t.Error("a page with a secret may be stored")
	}
	endpoints := s.store.Config().EndpointsOf(s.project.ID)
	i := slices.IndexFunc(endpoints, func(e *relay.Endpoint) bool { return e.Name == "Orders" })
	e := endpoints[i]
	secret := e.Secrets[0].Value
	made.says(secret)
	want := relay.Endpoint{
		ID: e.ID, ProjectID: s.project.ID, Name: "Orders", URL: "https://orders.acme.example/hook", Status: relay.EndpointActive,
		SourceIDs: []relay.ID{s.source.ID}, EventFilter: []string{"order.*", "invoice.paid"}, Secrets: e.Secrets,
		Retry:       relay.RetryPolicy{MaxRetries: 3, InitialDelay: 500 * time.Millisecond, Factor: 2.5, MaxDelay: time.Hour},
		HTTPTimeout: 5500 * time.Millisecond, RateLimit: 10, RateLimitDuration: 30 * time.Second,
		Authentication: relay.Authentication{Type: "bearer", Bearer: &relay.BearerAuth{Token: "canary token"}},
		Headers:        relay.Headers{{Name: "X-Team", Value: "a"}, {Name: "Authorization", Value: "Bearer canary"}},
		SupportEmail:   "ops@acme.example", CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt,
	}
	if diff := cmp.Diff(want, *e); diff != "" {
		t.Error(diff)
	}
	path := endpointPath(e.ID)
	form = b.get(path+"?tab=settings").wants(http.StatusOK).hides("canary", secret).fieldsOf(path)
	b.post(path, form).follow().says("Saved the settings of Orders.")
	e, err := s.store.Endpoint(s.project.ID, e.ID)
	s.check(err)
	want.UpdatedAt = e.UpdatedAt
	if diff := cmp.Diff(want, *e); diff != "" {
		t.Error(diff)
	}

	b.post(path+"/pause", nil).follow().says("Paused Orders.", "Paused by mara@acme.example.")
	b.post(path+"/resume", url.Values{"return_to": {"/endpoints?x=1"}}).follow().says("Resumed Orders.")
	rotated := b.post(path+"/rotate", url.Values{"expire_after": {"3600"}}).follow()
	e, err = s.store.Endpoint(s.project.ID, e.ID)
	s.check(err)
	if len(e.Secrets) != 2 {
		t.Fatalf("%d secrets", len(e.Secrets))
	}
	for _, live := range e.Secrets {
		if live.Value == secret {
			rotated.hides(secret)
		} else {
			rotated.says(live.Value)
		}
	}
	form.Set("is_disabled", "on")
	b.post(path, form).follow()
	b.post(path+"/test-fire", url.Values{"event": {"order.paid"}}).follow().says("This endpoint is disabled")
	form.Del("is_disabled")
	b.post(path, form).follow()
	b.post(path+"/test-fire", url.Values{"event": {""}}).follow().says("Must be an event type")
	b.post(path+"/test-fire", url.Values{"event": {"order.paid"}}).follow().says("Sent a test event to Orders.", "See the delivery")
	b.post(path+"/test-fire", url.Values{"event": {"order.paid"}}).follow()
	b.post(path+"/test-fire", url.Values{"event": {"order.paid"}}).follow().says("Too many test events")
	b.post(path+"/delete", nil).follow().says("Deleted the endpoint Orders.")
	b.get(path).wants(http.StatusNotFound)
	b.get(deliveryPath(s.deliveries()[0].ID)).wants(http.StatusOK).says("deleted")
	did := []string{
		"endpoint.deleted", "endpoint.test_fired", "endpoint.test_fired", "endpoint.enabled", "endpoint.disabled",
		"endpoint.secret_rotated", "endpoint.resumed", "endpoint.paused", "endpoint.updated", "endpoint.created",
	}
	if diff := cmp.Diff(did, s.actions()[:len(did)]); diff != "" {
		t.Error(diff)
	}
}

func TestKeyForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.loggedIn()
	b.post("/api-keys", url.Values{"name": {""}, "scope": {"all"}}).wants(http.StatusUnprocessableEntity).
		says("must not be empty", "must be read or write")
	made := b.post("/api-keys", url.Values{"name": {"CI"}, "scope": {"write"}}).follow().says("CI", "rp_")
	key := regexp.MustCompile(`rp_[\w-]+`).FindString(made.body)
	stored, err := s.store.KeyByHash(s.Context(), relay.HashAPIKey(key))
	s.check(err)
	if stored.Name != "CI" || stored.Scope != relay.ScopeWrite || stored.ProjectID != s.project.ID {
		t.Errorf("the key is %+v", stored)
	}
	b.get("/api-keys").wants(http.StatusOK).says("CI").hides(key)
	b.post("/api-keys/"+relay.PrefixKey.Format(stored.ID)+"/revoke", nil).follow().says("Revoked the key.")
	if _, err := s.store.KeyByHash(s.Context(), relay.HashAPIKey(key)); relay.KindOf(err) != relay.KindNotFound {
		t.Errorf("the key still works: %v", err)
	}
}
