package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

// furnish fills a site with everything that pages can show, all of it hostile.
func furnish(s *site) {
	s.Helper()
	s.receive("shop", "?q="+url.QueryEscape(evil), `{"type":"order.paid","note":"`+strings.ReplaceAll(evil, `"`, `\"`)+`","n":[1,true,null]}`,
		"Content-Type", "application/json", "X-Note", evil)
	s.receive("shop", "", "a="+url.QueryEscape(evil), "Content-Type", "application/x-www-form-urlencoded", "X-Event-Type", "form.sent")
	s.receive("shop", "", "\x00\x01\xff<b id=evil>", "Content-Type", "application/octet-stream", "X-Event-Type", "binary.sent")
	s.receive("shop", "", evil, "Content-Type", "text/html", "X-Event-Type", "<b id=evil>")
	s.attempt(s.endpoint, relay.DeliveryDLQ, 500, evil)
	s.receive("shop", "", `{"type":"order.shipped"}`)
	s.attempt(s.endpoint, relay.DeliveryDelivered, 200, evil)
	s.receive("shop", "", `{"type":"order.waiting"}`)
	key, _, err := (&App{now: s.store.Now}).newKey(s.project.ID, "CI "+evil, relay.ScopeRead)
	s.check(err)
	s.check(s.store.CreateKey(s.Context(), &key, s.actor))
	s.browser().post("/login", url.Values{"email": {evil}, "password": {"x"}}).wants(http.StatusUnauthorized)
}

// everyPage is the path of each page that a furnished site has.
func everyPage(s *site) []string {
	paths := []string{
		"/", "/?range=1h", "/?range=7d", "/?range=30d", "/?range=nonsense",
		"/sources", "/sources/new", sourcePath(s.source.ID), sourcePath(s.source.ID) + "?tab=settings",
		"/endpoints", "/endpoints/new", endpointPath(s.endpoint.ID), endpointPath(s.endpoint.ID) + "?tab=settings",
		"/events", "/events?event_type=order.paid", "/events?q=order&status=", "/events?q=" + url.QueryEscape(evil), "/events?from=2026-01-02T15:04",
		"/deliveries", "/deliveries?status=failed", "/dead-letters", "/dead-letters?endpoint_id=" + relay.PrefixEndpoint.Format(s.endpoint.ID),
		"/api-keys", "/audit-log", "/audit-log?action=session.failed", "/settings",
	}
	for _, ev := range s.events() {
		paths = append(paths, eventPath(ev.ID))
	}
	for _, d := range s.deliveries() {
		paths = append(paths, deliveryPath(d.ID))
	}
	return paths
}

func TestNothingOfAPayloadIsMarkup(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	furnish(s)
	b := s.loggedIn()
	for _, path := range everyPage(s) {
		checkMarkup(b.get(path).wants(http.StatusOK))
	}
	b.get(eventPath(s.events()[5].ID)).says("<b id=evil>boo</b>")
	b.get(deliveryPath(s.deliveries()[5].ID)).says("<b id=evil>boo</b>")
	checkMarkup(b.get("/events?event_type=" + url.QueryEscape(evil) + "&source_id=" + url.QueryEscape(evil)).wants(http.StatusUnprocessableEntity))
	checkMarkup(b.get("/nothing/" + url.PathEscape(evil)).wants(http.StatusNotFound))
	checkMarkup(b.post("/sources", url.Values{"name": {evil + strings.Repeat("x", 300)}}).wants(http.StatusUnprocessableEntity))
	checkMarkup(s.browser().post("/login", url.Values{"email": {evil}, "next": {evil}}).wants(http.StatusUnauthorized))
}

func checkMarkup(p *shown) {
	p.Helper()
	for _, n := range p.elements("") {
		switch {
		case attr(n, "id") == "evil", n.Data == "img", n.Data == "script" && !strings.HasPrefix(attr(n, "src"), "/static/"), n.Data == "style":
			p.Errorf("%s has an element <%s %v>", p.path, n.Data, n.Attr)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || strings.HasPrefix(strings.TrimSpace(strings.ToLower(a.Val)), "javascript:") {
				p.Errorf("%s has an attribute %s=%q on <%s>", p.path, a.Key, a.Val, n.Data)
			}
		}
	}
}

func TestPagesAreGuarded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	furnish(s)
	b := s.loggedIn()
	for _, path := range everyPage(s) {
		p := b.get(path).wants(http.StatusOK)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; ", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "same-origin", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := p.Header.Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
}
