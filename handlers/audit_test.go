package handlers

import (
	"net/url"
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

// TestLogInsAreShownToAcquaintances reads the audit log through all doors: of
// log-ins it shows those of people whom the reader shares a project with, and
// what somebody typed that is no address of a user only to the owner of the
// installation.
func TestLogInsAreShownToAcquaintances(t *testing.T) { onBoth(t, testLogInsAreShownToAcquaintances) }

func testLogInsAreShownToAcquaintances(t *testing.T, w *world) {
	const eve, bob, typed = "eve@example.com", "bob@example.com", "hunter2-typed-in-the-wrong-field"
	both := relay.User{ID: relay.NewID(), Email: bob, PasswordHash: testHash(), CreatedAt: w.clock.Now()}
	w.must(w.store.CreateUser(t.Context(), &both, []relay.ID{w.mine.project.ID, w.other.project.ID}, system))
	cookies := map[string]string{}
	for _, email := range []string{testEmail, eve, bob} {
		w.call("POST", "/v1/session", object{"email": email, "password": "wrong"}).problem(t, 401, relay.KindUnauthorized)
		cookies[email] = w.logIn(email)
	}
	w.call("POST", "/login", "password=x&email="+typed, "Content-Type", "application/x-www-form-urlencoded")

	for reader, hidden := range map[string][]string{testEmail: {eve}, eve: {testEmail, typed}, bob: {typed}} {
		person := []string{"Cookie", cookies[reader], "Sec-Fetch-Site", "same-origin"}
		for _, query := range []string{"", "?action=session.failed", "?action=session.started", "?actor=" + typed, "?actor=" + url.QueryEscape(eve), "?actor=" + url.QueryEscape(testEmail), "?limit=1"} {
			for _, path := range []string{"/api/v1/audit-log", "/v1/account/audit-log", "/audit-log"} {
				if path == "/audit-log" && query == "?limit=1" {
					continue // no parameter of pages
				}
				got := w.call("GET", path+query, nil, person...)
				if got.StatusCode != 200 {
					t.Fatalf("%s%s: %d %s", path, query, got.StatusCode, got.text)
				}
				text := got.text
				if path == "/audit-log" { // what the filter says is the reader's own
					_, text, _ = strings.Cut(text, "</form>")
				}
				for _, name := range hidden {
					if strings.Contains(text, name) && !strings.Contains(query, url.QueryEscape(name)) {
						t.Errorf("%s%s shows %s to %s", path, query, name, reader)
					}
				}
				if path != "/audit-log" {
					for _, row := range got.rows(t) {
						for _, name := range hidden {
							if row["actor"].(object)["name"] == name && strings.HasPrefix(row["action"].(string), "session.") {
								t.Errorf("%s%s shows %s to %s", path, query, row, reader)
							}
						}
					}
				}
			}
		}
		// To ask for a stranger is the same as to ask for nobody.
		for _, name := range hidden {
			got, nobody := w.call("GET", "/v1/audit-log?actor="+url.QueryEscape(name), nil, person...), w.call("GET", "/v1/audit-log?actor=nobody-at-all", nil, person...)
			if got.text != nobody.text || got.StatusCode != 200 {
				t.Errorf("%s asks for %s: %s, for nobody: %s", reader, name, got.text, nobody.text)
			}
		}
		if rows := w.call("GET", "/v1/audit-log?action=session.started&actor="+reader, nil, person...).rows(t); len(rows) != 1 {
			t.Errorf("%s does not see their own: %v", reader, rows)
		}
	}
	mine := []string{"Cookie", cookies[testEmail], "Sec-Fetch-Site", "same-origin"}
	failed := w.call("GET", "/v1/audit-log?action=session.failed", nil, mine...).rows(t)
	if len(failed) != 3 || failed[0]["actor"].(object)["name"] != typed || failed[0]["target_id"] != nil || failed[1]["target_id"] != relay.PrefixUser.Format(both.ID) {
		t.Errorf("the owner sees of failures: %v", failed)
	}
	for _, key := range []string{w.mine.read, w.other.write} {
		for _, path := range []string{"/api/v1/audit-log", "/v1/account/audit-log"} {
			if got := w.call("GET", path+"?limit=100", nil, "X-API-Key", key); strings.Contains(got.text, "session.") || strings.Contains(got.text, typed) {
				t.Errorf("%s shows keys log-ins: %s", path, got.text)
			}
		}
	}

	// Who is in no project sees nothing but their own.
	lonely := relay.User{ID: relay.NewID(), Email: "lonely@example.com", PasswordHash: testHash(), CreatedAt: w.clock.Now()}
	w.must(w.store.CreateUser(t.Context(), &lonely, nil, system))
	for _, row := range w.call("GET", "/v1/audit-log", nil, "Cookie", w.logIn(lonely.Email), "Sec-Fetch-Site", "same-origin").rows(t) {
		if row["target_id"] != relay.PrefixUser.Format(lonely.ID) {
			t.Errorf("who is in no project sees %v", row)
		}
	}
}
