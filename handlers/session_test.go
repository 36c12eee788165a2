package handlers

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

func TestSession(t *testing.T) {
	t.Parallel()
	w := setup(t)
	// A token that was known before the log-in must not be the one after it.
	known := w.logIn("eve@example.com")
	got := w.call("POST", "/api/v1/session", object{"email": " Ada@Example.com", "password": testPassword}, "Cookie", known)
	data := got.data(t, 200)
	if data["user"].(object)["email"] != testEmail || data["project_id"] != relay.PrefixProject.Format(w.mine.project.ID) || len(data["projects"].([]any)) != 1 {
		t.Errorf("session: %v", data)
	}
	if strings.Contains(got.text, "argon2") {
		t.Error("the hash is shown")
	}
	cookies := got.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies: %v", cookies)
	}
	c := cookies[0]
	if !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Name != "reprise_session" || c.Expires.Before(time.Now()) {
		t.Errorf("cookie: %+v", c)
	}
	mine := c.Name + "=" + c.Value
	if mine == known {
		t.Fatal("session fixation: the token stayed the same")
	}
	w.call("GET", "/api/v1/sources", nil, "Cookie", known).problem(t, 401, relay.KindUnauthorized)
	w.call("GET", "/api/v1/sources", nil, "Cookie", mine).json(t, 200)
	w.call("POST", "/api/v1/sources", object{"name": "x"}, "Cookie", mine, "Content-Type", "application/json").json(t, 201)

	if out := w.call("DELETE", "/api/v1/session", nil, "Cookie", mine, "Origin", testURL); out.StatusCode != 204 || !strings.Contains(out.Header.Get("Set-Cookie"), "reprise_session=;") {
		t.Errorf("log-out: %d %v", out.StatusCode, out.Header)
	}
	w.call("GET", "/api/v1/sources", nil, "Cookie", mine).problem(t, 401, relay.KindUnauthorized)

	// An unknown token is not taken over.
	forged := w.call("POST", "/api/v1/session", object{"email": testEmail, "password": testPassword}, "Cookie", "reprise_session=chosen-by-an-attacker")
	if forged.Cookies()[0].Value == "chosen-by-an-attacker" {
		t.Error("a token of the client was taken over")
	}
	if w.call("POST", "/api/v1/session", object{"email": testEmail, "password": testPassword}, "Sec-Fetch-Site", "cross-site").StatusCode != 403 {
		t.Error("another site may log people in")
	}
}

func TestSecureCookie(t *testing.T) {
	t.Parallel()
	w := setup(t, func(o *Options) { o.PublicURL = "https://hooks.example.com" })
	got := w.call("POST", "/api/v1/session", object{"email": testEmail, "password": testPassword})
	if c := got.Cookies()[0]; !c.Secure || c.Name != "__Host-reprise" || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie: %+v", c)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	w := setup(t)
	alive := func(cookie string) bool {
		t.Helper()
		return w.call("GET", "/api/v1/sources", nil, "Cookie", cookie).StatusCode == 200
	}
	cookie := w.logIn(testEmail)
	for range 4 {
		w.clock.advance(sessionIdle - time.Minute)
		if !alive(cookie) {
			t.Fatal("a session in use ended")
		}
	}
	w.clock.advance(sessionIdle + time.Minute)
	if alive(cookie) {
		t.Error("an idle session goes on")
	}

	cookie = w.logIn(testEmail)
	hash, err := HashPassword("another long password")
	w.must(err)
	w.must(w.store.SetPassword(context.Background(), w.mine.user.ID, hash, system))
	if alive(cookie) {
		t.Error("a session survived the change of its password")
	}
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	wrong := w.call("POST", "/v1/session", object{"email": testEmail, "password": "wrong"})
	nobody := w.call("POST", "/v1/session", object{"email": "nobody@example.com", "password": "wrong"})
	wrong.problem(t, 401, relay.KindUnauthorized)
	if nobody.StatusCode != 401 || anonymous(nobody.text) != anonymous(wrong.text) || len(wrong.Cookies())+len(nobody.Cookies()) != 0 {
		t.Errorf("they can be told apart:\n%s\n%s", wrong.text, nobody.text)
	}
	for body, field := range map[string]string{
		`{"email":"a@b.c"}`: "password", `{"password":"x"}`: "email", `{"email":"a","password":"b","admin":true}`: "admin",
		`{"email":"a@b.c","password":"` + strings.Repeat("x", 1025) + `"}`: "password",
	} {
		if fields := w.call("POST", "/v1/session", body).problem(t, 422, relay.KindValidation); !slices.Contains(fields, field) {
			t.Errorf("%.60s: %v", body, fields)
		}
	}
	w.call("POST", "/v1/session", object{"email": testEmail, "password": "correct horse battery\x00"}).problem(t, 401, relay.KindUnauthorized)
	rows, err := w.store.AuditEntries(context.Background(), w.mine.project.ID, db.AuditFilter{Action: "session.failed", Reader: w.mine.user.ID}, db.Page{})
	w.must(err)
	if len(rows.Rows) != 3 || rows.Rows[0].Actor.Name != testEmail && rows.Rows[1].Actor.Name != testEmail {
		t.Errorf("audit: %+v", rows.Rows)
	}
	cookie := w.logIn(testEmail)
	if list := w.call("GET", "/api/v1/audit-log?action=session.started", nil, "Cookie", cookie).rows(t); len(list) != 1 {
		t.Errorf("people see log-ins: %v", list)
	}
	if list := w.api("GET", "/api/v1/audit-log?action=session.started", nil).rows(t); len(list) != 0 {
		t.Errorf("keys do not: %v", list)
	}
}

func TestLoginThrottled(t *testing.T) {
	t.Parallel()
	w := setup(t)
	session := w.logIn(testEmail)
	try := func(email, password string) answer {
		return w.call("POST", "/api/v1/session", object{"email": email, "password": password})
	}
	for i := range accountFailures {
		if got := try(testEmail, "wrong"); got.StatusCode != 401 {
			t.Fatalf("try %d: %d", i, got.StatusCode)
		}
	}
	held := try(testEmail, testPassword)
	held.problem(t, 429, relay.KindRateLimited)
	if held.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if w.call("GET", "/api/v1/sources", nil, "Cookie", session).StatusCode != 200 {
		t.Error("the lock ends a session that exists")
	}
	w.logIn("eve@example.com") // another account is not held
	w.queue.forget()
	w.logIn(testEmail)

	for i := range networkFailures {
		try(fmt.Sprintf("user%d@example.com", i), "spring2026")
	}
	if got := try("eve@example.com", testPassword); got.StatusCode != 429 {
		t.Errorf("one address over many accounts: %d", got.StatusCode)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	w := setup(t)
	cookie := w.logIn(testEmail)
	for _, c := range []struct {
		headers []string
		status  int
	}{
		{[]string{"Sec-Fetch-Site", "same-origin"}, 201},
		{[]string{"Sec-Fetch-Site", "none"}, 201},
		{[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Sec-Fetch-Site", "cross-site", "Origin", testURL}, 403},
		{[]string{"Origin", testURL}, 201},
		{[]string{"Origin", "http://REPRISE.test"}, 201},
		{[]string{"Origin", "http://reprise.test.evil.example"}, 403},
		{[]string{"Origin", "http://sub.reprise.test"}, 403},
		{[]string{"Origin", "null"}, 403},
		{[]string{"Referer", testURL + "/sources"}, 201},
		{[]string{"Referer", "https://evil.example/"}, 403},
		{[]string{"Content-Type", "application/json"}, 201},
		{[]string{"Content-Type", "text/plain"}, 403},
		{[]string{"Content-Type", "Application/X-WWW-Form-Urlencoded; charset=utf-8"}, 403},
		{[]string{"X-HTTP-Method-Override", "DELETE", "Origin", testURL}, 201},
		{nil, 403}, // a body without a type
	} {
		if got := w.call("POST", "/api/v1/sources", `{"name":"x"}`, append([]string{"Cookie", cookie}, c.headers...)...); got.StatusCode != c.status {
			t.Errorf("%v: %d, want %d: %s", c.headers, got.StatusCode, c.status, got.text)
		}
	}
}

// TestNobodyLocksOthersOut fails to log in from one network, over and over. The
// person comes from another one.
func TestNobodyLocksOthersOut(t *testing.T) {
	t.Parallel()
	w := setup(t, func(o *Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")} })
	from := func(ip, email, password string) int {
		return w.call("POST", "/api/v1/session", object{"email": email, "password": password}, "X-Forwarded-For", ip).StatusCode
	}
	for i := range 3 * accountFailures {
		from(fmt.Sprintf("2001:db8:1:2::%x", i+1), testEmail, "guess") // one network of IPv6
	}
	if got := from("2001:db8:1:2:ffff::1", testEmail, testPassword); got != 429 {
		t.Errorf("the network that failed: %d", got)
	}
	for _, ip := range []string{"2001:db8:1:3::1", "192.0.2.7", "::ffff:192.0.2.8"} {
		if got := from(ip, testEmail, testPassword); got != 200 {
			t.Errorf("the person from %s: %d", ip, got)
		}
	}
	for range 3 * accountFailures {
		if got := from("192.0.2.9", testEmail, testPassword); got != 200 {
			t.Fatalf("log-ins that succeed count: %d", got)
		}
	}
}

// TestAnotherPersonBeginsAnew logs another person in over a session: nothing of
// it is theirs.
func TestAnotherPersonBeginsAnew(t *testing.T) {
	t.Parallel()
	w := setup(t)
	cookie := w.logIn(testEmail)
	cookieOf := func(a answer) string {
		t.Helper()
		for _, c := range a.Cookies() {
			return c.Name + "=" + c.Value
		}
		t.Fatalf("no cookie: %d %s", a.StatusCode, a.text)
		return ""
	}
	ctx, err := w.sessions.Load(context.Background(), strings.SplitN(cookie, "=", 2)[1])
	w.must(err)
	w.sessions.Put(ctx, "left", "behind")
	_, _, err = w.sessions.Commit(ctx)
	w.must(err)
	for _, c := range []struct{ email, left string }{{testEmail, "behind"}, {"eve@example.com", ""}} {
		next := cookieOf(w.call("POST", "/api/v1/session", object{"email": c.email, "password": testPassword}, "Cookie", cookie))
		if got := w.call("GET", "/api/v1/sources", nil, "Cookie", cookie); got.StatusCode != 401 {
			t.Errorf("the token of before is still worth something: %d", got.StatusCode)
		}
		ctx, err := w.sessions.Load(context.Background(), strings.SplitN(next, "=", 2)[1])
		w.must(err)
		if got := w.sessions.GetString(ctx, "left"); got != c.left {
			t.Errorf("%s finds %q", c.email, got)
		}
		cookie = next
	}
}
