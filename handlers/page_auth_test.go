package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/static"
)

func TestSetUpJourney(t *testing.T) {
	t.Parallel()
	s := emptySite(t)
	b := s.browser()
	for _, path := range []string{"/setup", "/setup?token=", "/setup?token=wrong"} {
		b.get(path).wants(http.StatusForbidden).says("This link does not work").hides(s.token)
	}
	form := url.Values{"token": {"wrong"}, "email": {"Mara@Acme.example"}, "password": {testPassword}, "project_name": {"Acme"}}
	b.post("/setup", form).wants(http.StatusForbidden)

	b.get("/setup?token=" + s.token).wants(http.StatusOK).says("Welcome")
	form.Set("token", s.token)
	form.Set("password", "short")
	b.post("/setup", form).wants(http.StatusUnprocessableEntity).says("must have 8 to 1024 characters").hides("short")
	form.Set("password", testPassword)
	form.Set("email", "nobody")
	b.post("/setup", form).wants(http.StatusUnprocessableEntity).says("must be an e-mail address")
	form.Set("email", "Mara@Acme.example")
	b.post("/setup", form).follow().says("mara@acme.example", "Acme")

	b.get("/setup?token=" + s.token).wants(http.StatusSeeOther)
	late := s.browser()
	late.get("/setup?token=" + s.token).wants(http.StatusForbidden)
	form.Set("email", "eve@acme.example")
	late.post("/setup", form).wants(http.StatusForbidden)
	if n, err := s.store.UserCount(s.Context()); n != 1 || err != nil {
		t.Errorf("%d users, %v", n, err)
	}
	late.post("/login", url.Values{"email": {"mara@acme.example"}, "password": {testPassword}}).wants(http.StatusSeeOther)
}

func TestLogInJourney(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	next := b.get("/events?status=failed").wants(http.StatusSeeOther).Header.Get("Location")
	page := b.get(next).wants(http.StatusOK)
	form := url.Values{"email": {" MARA@acme.example"}, "password": {"wrong"}}
	for _, n := range page.elements("input") {
		if attr(n, "name") == "next" {
			form.Set("next", attr(n, "value"))
		}
	}
	b.post("/login", form).wants(http.StatusUnauthorized).says("The e-mail address or the password is wrong.").hides("wrong\"")
	form.Set("password", testPassword)
	in := b.post("/login", form)
	if to := in.Header.Get("Location"); to != "/events?status=failed" {
		t.Errorf("the log-in leads to %q", to)
	}
	cookie := in.Header.Get("Set-Cookie")
	for _, flag := range []string{"HttpOnly", "SameSite=Lax", "path=/"} {
		if !strings.Contains(cookie, flag) {
			t.Errorf("the cookie %q lacks %s", cookie, flag)
		}
	}
	in.follow().says("mara@acme.example")
	b.get("/login").wants(http.StatusSeeOther)

	for _, next := range []string{"//evil.example", "https://evil.example/", `/\evil.example`, "/login", "javascript:alert(1)", "/\t/evil.example"} {
		form.Set("next", next)
		if to := s.browser().post("/login", form).wants(http.StatusSeeOther).Header.Get("Location"); to != "/" {
			t.Errorf("%q leads to %q", next, to)
		}
	}

	b.post("/logout", nil).wants(http.StatusSeeOther)
	b.get("/").wants(http.StatusSeeOther)
	for range accountFailures {
		b.post("/login", url.Values{"email": {"mara@acme.example"}, "password": {"guess"}})
	}
	held := b.post("/login", url.Values{"email": {"mara@acme.example"}, "password": {testPassword}}).wants(http.StatusTooManyRequests)
	if held.says("Too many failed log-ins").Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestPollsOfAnEndedSessionLeadToTheLogIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.header.Set("HX-Request", "true")
	p := b.get("/?range=1h").wants(http.StatusNoContent)
	if to := p.Header.Get("HX-Redirect"); to != "/login" {
		t.Errorf("leads to %q", to)
	}
	b = s.loggedIn()
	b.header.Set("HX-Request", "true")
	if p := b.get("/events/nonsense").wants(http.StatusNotFound); strings.Contains(p.body, "<") || p.body == "" {
		t.Errorf("a poll gets %q", p.body)
	}
}

func TestPasswordForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b, other := s.loggedIn(), s.loggedIn()
	form := url.Values{"current_password": {"wrong"}, "new_password": {"short"}}
	b.post("/settings/password", form).wants(http.StatusUnprocessableEntity).
		says("is not your present password", "must have 8 to 1024 characters")
	form = url.Values{"current_password": {testPassword}, "new_password": {"another good one"}}
	b.post("/settings/password", form).follow().says("Changed your password.")
	b.get("/settings").wants(http.StatusOK).hides("Changed your password.")
	other.get("/settings").wants(http.StatusSeeOther)
	s.browser().post("/login", url.Values{"email": {s.user.Email}, "password": {testPassword}}).wants(http.StatusUnauthorized)
	s.browser().post("/login", url.Values{"email": {s.user.Email}, "password": {"another good one"}}).wants(http.StatusSeeOther)
}

func TestProjectForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.loggedIn()
	b.post("/projects", url.Values{"name": {""}}).wants(http.StatusUnprocessableEntity).says("must not be empty")
	b.post("/projects", url.Values{"name": {"Staging"}}).follow().says("Created the project Staging.")
	b.get("/sources").says("Staging").hides("in/shop")
	b.post("/settings/project", url.Values{"name": {strings.Repeat("x", 201)}}).wants(http.StatusUnprocessableEntity).says("at most 200")
	b.post("/settings/project", url.Values{"name": {"Stage"}}).follow().says("The project is called Stage now.")
	acme := "prj_" + s.project.ID.UUID()
	for from, want := range map[string]string{
		"/events/evt_x?a=b": "/events", "/sources?x=y": "/sources", "/": "/", "": "/", "//evil.example": "/",
	} {
		to := b.post("/projects/switch", url.Values{"project_id": {acme}, "return_to": {from}}).wants(http.StatusSeeOther).Header.Get("Location")
		if to != want {
			t.Errorf("from %q the switch leads to %q, want %q", from, to, want)
		}
	}
	b.get("/sources").says("/in/shop")

	lonely := s.user
	lonely.ID, lonely.Email = s.foreign.ID, "lonely@acme.example"
	s.check(s.store.CreateUser(s.Context(), &lonely, nil, s.actor))
	b = s.browser()
	b.post("/login", url.Values{"email": {lonely.Email}, "password": {testPassword}}).wants(http.StatusSeeOther)
	b.get("/events").follow().says("You are in no project yet.")
	b.post("/sources", url.Values{"name": {"x"}}).wants(http.StatusSeeOther)
	b.post("/projects", url.Values{"name": {"Mine"}}).follow().says("Mine")
}

func TestStaticFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.browser().get(static.URL("app.css")).wants(http.StatusOK)
	got := map[string]string{}
	for _, name := range []string{"Content-Type", "Cache-Control", "X-Content-Type-Options", "Set-Cookie"} {
		got[name] = p.Header.Get(name)
	}
	want := map[string]string{
		"Content-Type": "text/css; charset=utf-8", "Cache-Control": "public, max-age=31536000, immutable",
		"X-Content-Type-Options": "nosniff", "Set-Cookie": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, path := range []string{"/static/app.css", "/static/../go.mod", "/static/%2e%2e/go.mod", "/static/"} {
		s.browser().get(path).wants(http.StatusNotFound)
	}
}
