package handlers

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// pageRoute is a route of the dashboard with ids of the first project filled
// in.
type pageRoute struct {
	method, pattern, path string
	open                  bool // to everybody
	form                  url.Values
}

func (r pageRoute) name() string { return r.method + " " + r.pattern }
func (r pageRoute) posts() bool  { return r.method == http.MethodPost }

// notPages are the routes that are not of the dashboard.
var notPages = regexp.MustCompile(`^/(api/v1|v1|in)/|^/(healthz|readyz|metrics)$|^/static/`)

// openPages are what people see who are not logged in, with how they are
// answered who send nothing of use.
var openPages = map[string]int{"GET /login": 200, "HEAD /login": 200, "POST /login": 401, "GET /setup": 403, "HEAD /setup": 403, "POST /setup": 403}

// pageForms are what each form of the dashboard sends, naming things of the
// first project wherever it can. A form that is not here fails the tests.
func (w *world) pageForms(ids map[string]string) map[string]url.Values {
	w.t.Helper()
	slug := w.api("GET", "/api/v1/sources/"+ids["sources"], nil).data(w.t, 200)["slug"].(string)
	endpoint := url.Values{"name": {"Other"}, "url": {"https://other.example.com/"}, "source_ids": {ids["sources"]}, "authentication_type": {"none"}}
	source := url.Values{"name": {"Other"}, "type": {"http"}, "verifier_type": {"noop"}}
	return map[string]url.Values{
		"/login":                     {"email": {"nobody@example.com"}, "password": {"wrong"}},
		"/logout":                    {},
		"/setup":                     {"token": {"x"}, "email": {"nobody@example.com"}, "password": {testPassword}},
		"/sources":                   source,
		"/sources/:id":               source,
		"/sources/:id/delete":        {"confirm": {slug}},
		"/endpoints":                 endpoint,
		"/endpoints/:id":             endpoint,
		"/endpoints/:id/pause":       {},
		"/endpoints/:id/resume":      {},
		"/endpoints/:id/rotate":      {"expire_after": {"60"}},
		"/endpoints/:id/test-fire":   {"event": {"order.paid"}},
		"/endpoints/:id/delete":      {},
		"/events/bulk":               {"action": {"replay"}, "ids": {ids["events"]}},
		"/events/:id/replay":         {"endpoint_ids": {ids["endpoints"]}},
		"/deliveries/bulk":           {"action": {"discard"}, "ids": {ids["deliveries"]}},
		"/deliveries/:id/replay":     {},
		"/deliveries/:id/retry":      {},
		"/deliveries/:id/discard":    {"reason": {"a"}},
		"/dead-letters/replay":       {"endpoint_id": {ids["endpoints"]}, "cause": {"http_500"}},
		"/dead-letters/discard":      {"endpoint_id": {ids["endpoints"]}, "cause": {"http_500"}, "reason": {"a"}},
		"/replays":                   {"of": {"events"}, "source_id": {ids["sources"]}, "endpoint_ids": {ids["endpoints"]}},
		"/replays/:id/start":         {},
		"/replays/:id/pause":         {},
		"/replays/:id/resume":        {},
		"/replays/:id/cancel":        {},
		"/replays/:id/rate":          {"rate_limit": {"5"}},
		"/replays/:id/replay-failed": {},
		"/api-keys":                  {"name": {"Other"}, "scope": {"read"}},
		"/api-keys/:id/revoke":       {},
		"/settings/password":         {"current_password": {testPassword}, "new_password": {testPassword}},
		"/settings/project":          {"name": {"Other"}},
		"/projects":                  {"name": {"Other"}},
		"/projects/switch":           {"project_id": {ids["projects"]}, "return_to": {"/sources"}},
	}
}

// pageRoutes are all routes of the dashboard, made from the routes that the
// app really has.
func (w *world) pageRoutes(ids map[string]string) []pageRoute {
	w.t.Helper()
	forms := w.pageForms(ids)
	var out []pageRoute
	for _, r := range w.GetRoutes(true) {
		if notPages.MatchString(r.Path) {
			continue
		}
		p := pageRoute{method: r.Method, pattern: r.Path, path: r.Path}
		_, p.open = openPages[p.name()]
		for _, param := range r.Params {
			id, ok := ids[strings.Split(r.Path, "/")[1]]
			if !ok || param != "id" {
				w.t.Fatalf("%s: no id for %s", r.Path, param)
			}
			p.path = strings.Replace(p.path, ":id", id, 1)
		}
		if p.posts() {
			var ok bool
			if p.form, ok = forms[r.Path]; !ok {
				w.t.Fatalf("%s: say in pageForms what its form sends", p.name())
			}
		}
		out = append(out, p)
	}
	if len(out) < 70 {
		w.t.Fatalf("only %d routes", len(out))
	}
	return out
}

const formType = "application/x-www-form-urlencoded"

// visits calls a page as a browser does, from a page of ours unless the
// headers say otherwise.
func (w *world) visits(r pageRoute, headers ...string) answer {
	w.t.Helper()
	if !slices.Contains(headers, "Sec-Fetch-Site") && !slices.Contains(headers, "Origin") {
		headers = append(headers, "Sec-Fetch-Site", "same-origin")
	}
	if !r.posts() {
		return w.call(r.method, r.path, nil, headers...)
	}
	return w.call(r.method, r.path, r.form.Encode(), append(headers, "Content-Type", formType)...)
}
