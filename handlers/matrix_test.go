package handlers

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// apiRoute is a route of the API with ids of the first project filled in.
type apiRoute struct {
	method, pattern, path string
	write, people         bool
}

// apiRoutes are all routes of the API under /api/v1 and /v1, made from the
// routes that the app really has.
func (w *world) apiRoutes(ids map[string]string) []apiRoute {
	w.t.Helper()
	var out []apiRoute
	peopleOnly := regexp.MustCompile(`^(POST|PATCH) .*/projects(/:id)?$|^DELETE .*/session$`)
	for _, r := range w.GetRoutes(true) {
		if !strings.HasPrefix(r.Path, "/api/v1/") && !strings.HasPrefix(r.Path, "/v1/") || r.Method+r.Path == "POST/api/v1/session" || r.Method+r.Path == "POST/v1/session" {
			continue
		}
		path := r.Path
		for _, name := range r.Params {
			kind := name
			if name == "id" {
				kind = strings.Split(strings.TrimPrefix(strings.TrimPrefix(r.Path, "/api"), "/v1/"), "/")[0]
			}
			id, ok := ids[kind]
			if !ok {
				w.t.Fatalf("%s: no id for %s", r.Path, kind)
			}
			path = strings.Replace(path, ":"+name, id, 1)
		}
		signature := r.Method + " " + r.Path
		out = append(out, apiRoute{r.Method, r.Path, path, r.Method != "GET" && r.Method != "HEAD", peopleOnly.MatchString(signature)})
	}
	if len(out) < 60 {
		w.t.Fatalf("only %d routes", len(out))
	}
	return out
}

// ownIDs makes one thing of each kind in the first project.
func (w *world) ownIDs() map[string]string {
	w.t.Helper()
	src, e := w.source(object{"name": "sesame source"}), w.endpointFor(object{"name": "sesame endpoint"})
	id := w.event(src, "sesame body")
	keys := w.api("GET", "/api/v1/api-keys", nil).rows(w.t)
	project := relay.PrefixProject.Format(w.mine.project.ID)
	delivery := w.deliveriesOf(id)[0]["id"].(string)
	w.clock.advance(time.Second)
	job := w.api("POST", "/api/v1/replays", object{"event_types": []any{"*"}, "dry_run": true}).data(w.t, 202)["id"].(string)
	return map[string]string{
		"sources": src["id"].(string), "endpoints": e["id"].(string), "events": id, "deliveries": delivery, "api-keys": keys[0]["id"].(string),
		"projects": project, "source": src["id"].(string), "endpoint": e["id"].(string), "event": id, "delivery": delivery, "project": project,
		"replays": job, "replay": job,
	}
}

// untouched is everything of the first project that a stranger must not
// change.
func (w *world) untouched() string {
	var all []string
	for _, list := range []string{"sources", "endpoints", "events", "deliveries", "api-keys", "projects", "replays"} {
		for _, row := range w.api("GET", "/api/v1/"+list, nil).rows(w.t) {
			delete(row, "last_used_at")
			all = append(all, fmt.Sprint(row))
		}
	}
	return strings.Join(all, "\n")
}

var requestIDText = regexp.MustCompile(`req_[0-9a-f]{24}`)

func TestRouteMatrix(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ids := w.ownIDs()
	routes := w.apiRoutes(ids)
	before := w.untouched()
	cookie := w.logIn("eve@example.com")
	for _, r := range routes {
		name := r.method + " " + r.pattern
		hasID := r.path != r.pattern
		expect := func(who string, want int, headers ...string) answer {
			t.Helper()
			got := w.call(r.method, r.path, nil, headers...)
			if got.StatusCode != want {
				t.Errorf("%s as %s: %d, want %d: %s", name, who, got.StatusCode, want, got.text)
			}
			if got.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s as %s: no request id", name, who)
			}
			for _, id := range ids {
				if strings.Contains(got.text, id) {
					t.Errorf("%s as %s shows %s", name, who, id)
				}
			}
			return got
		}
		expect("nobody", 401)
		expect("a bad key", 401, "Authorization", "Bearer rp_wrong")
		expect("a bad key beside a session", 401, "X-API-Key", "rp_wrong", "Cookie", cookie)
		expect("no key beside a session", 401, "Authorization", "", "Cookie", cookie)
		expect("a made-up session", 401, "Cookie", strings.Split(cookie, "=")[0]+"=AAAA")
		expect("another site", 403, "Cookie", cookie, "Sec-Fetch-Site", "cross-site")
		expect("a sub-domain", 403, "Cookie", cookie, "Sec-Fetch-Site", "same-site")
		if r.write {
			expect("another origin", 403, "Cookie", cookie, "Origin", "https://evil.example")
			expect("a hidden origin", 403, "Cookie", cookie, "Origin", "null")
			expect("a form", 403, "Cookie", cookie, "Content-Type", "text/plain")
			expect("a read key", 403, "Authorization", w.other.read)
		}
		if r.people {
			expect("a write key", 403, "Authorization", "bearer "+w.other.write)
		}
		if !hasID || r.people && !strings.Contains(r.pattern, ":") {
			continue
		}
		if r.people {
			expect("another person", 404, "Cookie", cookie, "Sec-Fetch-Site", "same-origin")
			continue
		}
		foreign := expect("another project", 404, "Authorization", "Bearer "+w.other.write, "Content-Type", "application/json")
		expect("another person", 404, "Cookie", cookie, "Origin", testURL)
		unknown := w.call(r.method, w.withUnknownIDs(r.path), nil, "Authorization", "Bearer "+w.other.write, "Content-Type", "application/json")
		if unknown.StatusCode != 404 || anonymous(unknown.text) != anonymous(foreign.text) {
			t.Errorf("%s: unknown and foreign differ:\n%s\n%s", name, unknown.text, foreign.text)
		}
	}
	if after := w.untouched(); after != before {
		t.Errorf("strangers changed something:\n%s\n---\n%s", before, after)
	}
}

func anonymous(text string) string { return requestIDText.ReplaceAllString(text, "") }

var anyID = regexp.MustCompile(`[a-z]{3}_[0-9a-f-]{36}`)

func (w *world) withUnknownIDs(path string) string {
	return anyID.ReplaceAllStringFunc(path, func(id string) string { return id[:4] + relay.NewID().UUID() })
}

// TestRoutesAnswer calls every route as who may: none is missing, none fails.
func TestRoutesAnswer(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.streamTime = time.Millisecond
	bodies := map[string]any{
		"sources": object{"name": "a"}, "endpoints": object{"name": "a", "url": "https://example.com/"}, "events": object{"event_type": "a", "data": 1},
		"api-keys": object{"name": "a", "scope": "read"}, "projects": object{"name": "a"}, "test-fire": object{"event": "a"},
		"replays": object{"event_types": []any{"*"}},
	}
	// What deletes comes last.
	ids := w.ownIDs()
	routes := w.apiRoutes(ids)
	bodies["replay"] = object{"destination_id": ids["endpoint"], "from": "2020-01-01T00:00:00Z", "to": w.clock.Now().UTC().Format(time.RFC3339)}
	bodies["dead-letters/discard"] = object{"endpoint_id": ids["endpoint"], "cause": "timeout", "reason": "a"}
	slices.SortStableFunc(routes, func(a, b apiRoute) int { return strings.Compare(order(a), order(b)) })
	cookie := w.logIn(testEmail)
	gone := map[string]bool{}
	for _, r := range routes {
		body := bodies[strings.TrimPrefix(strings.TrimPrefix(r.path, "/api"), "/v1/")]
		if strings.HasSuffix(r.path, "/test-fire") {
			body = bodies["test-fire"]
		}
		if r.method == "PATCH" {
			body = object{}
		}
		headers := []string{"X-API-Key", w.mine.write}
		if r.people {
			headers = []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin", "X-Reprise-Project", relay.PrefixProject.Format(w.mine.project.ID)}
		}
		got := w.call(r.method, r.path, body, headers...)
		key := strings.TrimPrefix(r.path, "/api")
		switch {
		case r.method == "DELETE" && gone[key]: // under its other prefix
			if got.StatusCode != 404 && got.StatusCode != 401 && got.StatusCode != 409 {
				t.Errorf("%s %s twice: %d", r.method, r.pattern, got.StatusCode)
			}
		case got.StatusCode >= 300 && (got.StatusCode != 409 || !moves.MatchString(r.pattern)):
			t.Errorf("%s %s: %d %s", r.method, r.pattern, got.StatusCode, got.text)
		}
		gone[key] = gone[key] || r.method == "DELETE"
		if r.method == "HEAD" && got.text != "" {
			t.Errorf("HEAD %s has a body", r.pattern)
		}
		if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: headers %v", r.method, r.pattern, got.Header)
		}
		for name := range maps.Keys(got.Header) {
			if name == "Server" || strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s %s: header %s", r.method, r.pattern, name)
			}
		}
	}
}

// moves are the routes that change a state, which can be done but once.
var moves = regexp.MustCompile(`/(discard|start|pause|resume|cancel)$|/replays/:id$`)

func order(r apiRoute) string {
	switch {
	case r.method == "DELETE" && strings.HasSuffix(r.pattern, "/session"):
		return "9"
	case r.method == "DELETE":
		return "8"
	case strings.HasSuffix(r.pattern, "/discard"):
		return "7"
	}
	return "1"
}

func TestKeyHeaders(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, h := range [][]string{
		{"Authorization", "Bearer " + w.mine.read}, {"Authorization", "bearer  " + w.mine.read}, {"Authorization", w.mine.read}, {"X-API-Key", w.mine.read},
		{"X-API-Key", w.mine.read, "Authorization", "Basic dTpw"}, // a proxy's
	} {
		w.call("GET", "/api/v1/sources", nil, h...).json(t, 200)
	}
	for _, h := range [][]string{
		{"Authorization", "Basic dTpw"}, {"Authorization", "Bearer"}, {"Authorization", "Bearer " + w.mine.read + " x"}, {"Cookie", "key=" + w.mine.read},
	} {
		got := w.call("GET", "/api/v1/sources?key="+w.mine.read, nil, h...)
		got.problem(t, 401, relay.KindUnauthorized)
		if got.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Error("no WWW-Authenticate")
		}
	}
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	w := setup(t)
	made := w.api("POST", "/api/v1/api-keys", object{"name": "CI", "scope": "read"}).data(t, 201)
	text := made["key"].(string)
	if !strings.HasPrefix(text, "rp_") || made["scope"] != "read" {
		t.Errorf("key: %v", made)
	}
	w.call("GET", "/api/v1/events", nil, "Authorization", text).json(t, 200)
	if list := w.api("GET", "/api/v1/api-keys", nil); strings.Contains(list.text, text) || !strings.Contains(list.text, made["hint"].(string)) {
		t.Errorf("list: %s", list.text)
	}
	w.api("DELETE", "/api/v1/api-keys/"+made["id"].(string), nil)
	w.call("GET", "/api/v1/events", nil, "Authorization", text).problem(t, 401, relay.KindUnauthorized)
	for body, field := range map[string]string{`{"name":"","scope":"read"}`: "name", `{"name":"a","scope":"admin"}`: "scope", `{"name":"a"}`: "scope", `{"name":"a","scope":"read","key":"rp_mine"}`: "key"} {
		if fields := w.api("POST", "/api/v1/api-keys", body).problem(t, 422, relay.KindValidation); fields[0] != field {
			t.Errorf("%s: %v", body, fields)
		}
	}
}

func TestProjects(t *testing.T) {
	t.Parallel()
	w := setup(t)
	own := w.api("GET", "/api/v1/projects", nil).rows(t)
	if len(own) != 1 || own[0]["name"] != "Mine" {
		t.Errorf("a key sees its own project: %v", own)
	}
	cookie := w.logIn(testEmail)
	person := []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin", "Content-Type", "application/json"}
	second := w.call("POST", "/api/v1/projects", object{"name": "Second"}, person...).data(t, 201)
	if rows := w.call("GET", "/api/v1/projects", nil, person...).rows(t); len(rows) != 2 {
		t.Errorf("projects: %v", rows)
	}
	in := append(slices.Clone(person), "X-Reprise-Project", second["id"].(string))
	src := w.call("POST", "/api/v1/sources", object{"name": "There"}, in...).data(t, 201)
	if src["project_id"] != second["id"] {
		t.Errorf("source: %v", src)
	}
	w.api("GET", "/api/v1/sources/"+src["id"].(string), nil).problem(t, 404, relay.KindNotFound)
	w.call("GET", "/api/v1/sources", nil, append(slices.Clone(person), "X-Reprise-Project", relay.PrefixProject.Format(w.other.project.ID))...).problem(t, 404, relay.KindNotFound)
	w.call("GET", "/api/v1/sources", nil, append(slices.Clone(person), "X-Reprise-Project", "5")...).problem(t, 400, relay.KindInvalidID)
	if got := w.call("PATCH", "/api/v1/projects/"+second["id"].(string), object{"name": "Renamed"}, person...).data(t, 200); got["name"] != "Renamed" {
		t.Error(got)
	}
	w.call("PATCH", "/api/v1/projects/"+second["id"].(string), object{"name": " "}, person...).problem(t, 422, relay.KindValidation)
}

func TestUnknownPaths(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.source(object{"slug": "orders"})
	for _, path := range []string{
		"/api/v1/nothing", "/api/v1", "/api/v1/", "/API/v1/sources", "/api/v1/sources/", "//api/v1/sources", "/api/v1/../v1/sources", "/in", "/in/",
		"/IN/orders", "/in/Orders", "/in/../api/v1/sources", "/in/%2e%2e%2fapi", "/in/%252e%252e", "/in//orders", "/in/x", "/v1/" + strings.Repeat("a/", 5000),
	} {
		if got := w.call("POST", path, "{}", "X-API-Key", w.mine.write); got.StatusCode != 404 {
			t.Errorf("%.60s: %d %s", path, got.StatusCode, got.text)
		}
	}
	for path, allow := range map[string]string{"/in/orders": "POST, PUT, PATCH", "/api/v1/events/5/raw": "GET, HEAD", "/healthz": "GET, HEAD"} {
		got := w.call("DELETE", path, nil)
		got.problem(t, 405, kindMethodNotAllowed)
		for method := range strings.SplitSeq(allow, ", ") {
			if !strings.Contains(got.Header.Get("Allow"), method) {
				t.Errorf("%s: Allow %s", path, got.Header.Get("Allow"))
			}
		}
	}
	w.call("GET", "/in/orders", nil).problem(t, 405, kindMethodNotAllowed)
	w.call("OPTIONS", "/api/v1/sources", nil, "Origin", "https://evil.example").problem(t, 405, kindMethodNotAllowed)
}

func TestAPIRate(t *testing.T) {
	t.Parallel()
	w := setup(t, func(o *Options) { o.APIRatePerMinute = 3 })
	for range 3 {
		w.call("GET", "/api/v1/sources", nil, "X-API-Key", w.mine.read).json(t, 200)
	}
	got := w.call("GET", "/api/v1/sources", nil, "X-API-Key", w.mine.read)
	got.problem(t, 429, relay.KindRateLimited)
	if got.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	w.call("GET", "/api/v1/sources", nil, "X-API-Key", w.mine.write).json(t, 200) // each key has its own
}
