package handlers

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

// leaveNothing fails if an answer shows something of the first project.
func (a answer) leaveNothing(t *testing.T, what string, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(a.text, s) || strings.Contains(a.Header.Get("Location"), s) && !strings.HasPrefix(a.Header.Get("Location"), "/login?next=") {
			t.Errorf("%s shows %s", what, s)
		}
	}
}

// secrets are the ids and names of the first project.
func (w *world) secrets(ids map[string]string) []string {
	out := []string{"sesame", w.mine.project.Name + "<"}
	for _, id := range ids {
		out = append(out, id)
	}
	return out
}

// TestPagesForNobody: who is not logged in is led to the log-in, whatever the
// route, and changes nothing. Keys have no pages, so who can but read is nobody
// here too.
func TestPagesForNobody(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ids := w.ownIDs()
	before := w.untouched()
	ended := w.logIn(testEmail)
	w.call("POST", "/logout", "", "Cookie", ended, "Sec-Fetch-Site", "same-origin", "Content-Type", formType)
	for _, r := range w.pageRoutes(ids) {
		for who, headers := range map[string][]string{
			"nobody": nil, "a read key": {"Authorization", "Bearer " + w.mine.read}, "a write key": {"X-API-Key", w.mine.write},
			"a made-up session": {"Cookie", strings.Split(ended, "=")[0] + "=AAAA"}, "an ended session": {"Cookie", ended},
		} {
			name := r.name() + " as " + who
			got := w.visits(r, headers...)
			got.leaveNothing(t, name, w.secrets(ids)...)
			poll := w.visits(r, append(slices.Clone(headers), "HX-Request", "true")...)
			poll.leaveNothing(t, name+", polling", w.secrets(ids)...)
			if r.open {
				if want := openPages[r.name()]; got.StatusCode != want {
					t.Errorf("%s: %d, want %d", name, got.StatusCode, want)
				}
				continue
			}
			to := "/login"
			if !r.posts() && r.path != "/" {
				to += "?next=" + url.QueryEscape(r.path)
			}
			if got.StatusCode != 303 || got.Header.Get("Location") != to || got.text != "" {
				t.Errorf("%s: %d to %q, want %q: %s", name, got.StatusCode, got.Header.Get("Location"), to, got.text)
			}
			if poll.StatusCode != 204 || poll.Header.Get("HX-Redirect") != "/login" || poll.text != "" {
				t.Errorf("%s, polling: %d to %q: %s", name, poll.StatusCode, poll.Header.Get("HX-Redirect"), poll.text)
			}
		}
	}
	if after := w.untouched(); after != before {
		t.Errorf("nobody changed something:\n%s\n---\n%s", before, after)
	}
}

// TestPagesForStrangers: to a person of another project what is not theirs is
// unknown, byte for byte, in paths, forms and filters, and nothing of it
// changes.
func TestPagesForStrangers(t *testing.T) { onBoth(t, testPagesForStrangers) }

func testPagesForStrangers(t *testing.T, w *world) {
	ids := w.ownIDs()
	secrets := w.secrets(ids)
	before := w.untouched()
	for _, r := range w.pageRoutes(ids) {
		if r.open {
			continue
		}
		// The form may change who is logged in, or where.
		cookie := w.logIn("eve@example.com")
		empty, unknown := r, r
		empty.form = url.Values{}
		unknown.path, unknown.form = w.withUnknownIDs(r.path), url.Values{}
		for name, values := range r.form {
			for _, v := range values {
				unknown.form.Add(name, w.withUnknownIDs(v))
			}
		}
		namesOurs := r.path != r.pattern || anyID.MatchString(r.form.Encode())
		if !namesOurs {
			w.visits(r, "Cookie", cookie).leaveNothing(t, r.name(), secrets...)
			continue
		}
		foreign := w.visits(r, "Cookie", cookie)
		said := w.flash(foreign, cookie)
		same := w.visits(unknown, "Cookie", cookie)
		if saidSame := w.flash(same, cookie); foreign.StatusCode != same.StatusCode || nameless(foreign.text) != nameless(same.text) ||
			foreign.Header.Get("Location") != same.Header.Get("Location") || nameless(said) != nameless(saidSame) {
			t.Errorf("%s: unknown and foreign differ: %d %s %s\n%s\n%d %s %s\n%s", r.name(), foreign.StatusCode, foreign.Header.Get("Location"), said, foreign.text,
				same.StatusCode, same.Header.Get("Location"), saidSame, same.text)
		}
		foreign.leaveNothing(t, r.name(), "sesame")
		if r.path == r.pattern {
			continue
		}
		nonsense := r
		nonsense.path = anyID.ReplaceAllString(r.path, "nonsense")
		for what, got := range map[string]answer{
			"a full form": foreign, "an empty form": w.visits(empty, "Cookie", cookie), "nonsense for an id": w.visits(nonsense, "Cookie", cookie),
		} {
			if got.StatusCode != 404 {
				t.Errorf("%s with %s: %d, want 404: %s", r.name(), what, got.StatusCode, got.text)
			}
		}
	}
	if after := w.untouched(); after != before {
		t.Errorf("a stranger changed something:\n%s\n---\n%s", before, after)
	}

	// Filters that name what is not theirs find nothing.
	cookie := w.logIn("eve@example.com")
	for _, r := range w.pageRoutes(ids) {
		if r.method != "GET" || r.open || r.path != r.pattern {
			continue
		}
		for filter, kind := range map[string]string{
			"source_id": "sources", "endpoint_id": "endpoints", "endpoint_ids": "endpoints", "delivery_endpoint_id": "endpoints", "event_id": "events",
			"replay_id": "replays", "since": "events", "q": "events", "actor": "api-keys", "tab": "projects",
		} {
			got := w.call("GET", r.path+"?"+filter+"="+ids[kind], nil, "Cookie", cookie)
			if got.StatusCode != 200 && got.StatusCode != 422 {
				t.Errorf("%s by %s: %d %s", r.name(), filter, got.StatusCode, got.text)
			}
			got.leaveNothing(t, r.name()+" by "+filter, "sesame")
		}
	}
}

// flash is what the next page says about what a form did.
func (w *world) flash(a answer, cookie string) string {
	w.t.Helper()
	if a.StatusCode != 303 {
		return ""
	}
	next := w.call("GET", "/settings", nil, "Cookie", cookie)
	return regexp.MustCompile(`(?s)data-flash>.*?</div>`).FindString(next.text)
}

var formToken = regexp.MustCompile(`name="form_token" value="[^"]+"`)

// nameless is a text without the ids that it was asked with, and without what is
// another on each page.
func nameless(text string) string {
	return formToken.ReplaceAllString(anyID.ReplaceAllString(anonymous(text), "ID"), "TOKEN")
}

// TestFormsOfOtherSites: what changes something must come from a page of ours,
// though the person is logged in.
func TestFormsOfOtherSites(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ids := w.ownIDs()
	before, cookie := w.untouched(), w.logIn(testEmail)
	audited := w.call("GET", "/v1/audit-log", nil, "Cookie", cookie, "Sec-Fetch-Site", "same-origin").text
	tried := 0
	for _, r := range w.pageRoutes(ids) {
		if !r.posts() {
			continue
		}
		tried++
		for _, from := range [][]string{
			{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", ""}, {"Origin", "https://evil.example"}, {"Origin", "null"},
			{"Sec-Fetch-Site", "", "Referer", "https://evil.example/"}, {"Sec-Fetch-Site", "cross-site", "Origin", testURL}, {"Sec-Fetch-Site", "cross-site", "HX-Request", "true"},
		} {
			if r.open && len(from) == 2 && from[1] == "" {
				continue // before the log-in there is nothing to ride on
			}
			got := w.visits(r, append([]string{"Cookie", cookie}, from...)...)
			if got.StatusCode != 403 {
				t.Errorf("%s from %v: %d, want 403: %s", r.name(), from, got.StatusCode, got.text)
			}
			got.leaveNothing(t, r.name(), ids["sources"], ids["endpoints"])
		}
	}
	if tried < 30 {
		t.Errorf("only %d forms", tried)
	}
	if after := w.untouched(); after != before {
		t.Errorf("another site changed something:\n%s\n---\n%s", before, after)
	}
	if now := w.call("GET", "/v1/audit-log", nil, "Cookie", cookie, "Sec-Fetch-Site", "same-origin").text; anonymous(now) != anonymous(audited) {
		t.Errorf("something was done: %s", now)
	}
}

// TestPagesAnswer calls every route of the dashboard as who may, each in a
// world of its own: what strangers are refused works, with the very same forms.
func TestPagesAnswer(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for i, r := range w.pageRoutes(w.ownIDs()) {
		if r.open {
			continue
		}
		t.Run(r.name(), func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			r := w.pageRoutes(w.ownIDs())[i]
			cookie := w.logIn(testEmail)
			before := w.doings(cookie)
			got := w.visits(r, "Cookie", cookie)
			if got.StatusCode >= 400 {
				t.Fatalf("%d: %s", got.StatusCode, got.text)
			}
			if said := w.flash(got, cookie); strings.Contains(said, "There is nothing") {
				t.Error(said)
			}
			if done := w.doings(cookie); r.posts() && !idle[r.pattern] && done == before {
				t.Errorf("nothing was done: %d %s", got.StatusCode, got.text)
			} else if !r.posts() && done != before {
				t.Errorf("a look did something: %d", done)
			}
		})
	}
}

// idle are the forms that do nothing in a fresh world that the audit log of the
// project records: there is no dead letter, and the job does not run.
var idle = map[string]bool{
	"/dead-letters/replay": true, "/dead-letters/discard": true, "/replays/:id/pause": true, "/replays/:id/resume": true,
	"/replays/:id/replay-failed": true, "/projects": true, "/projects/switch": true, "/logout": true,
}

// doings is how much the audit log says was done in the first project.
func (w *world) doings(cookie string) int {
	w.t.Helper()
	page := w.call("GET", "/v1/audit-log?limit=100", nil, "Cookie", cookie, "Sec-Fetch-Site", "same-origin", projectHeader, relay.PrefixProject.Format(w.mine.project.ID))
	if page.StatusCode == 401 {
		return -1
	}
	return len(page.rows(w.t))
}
