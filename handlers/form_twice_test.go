package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// twoProcesses are a person's browser before two processes on one database.
func twoProcesses(t *testing.T) (s *site, first, second *browser) {
	t.Helper()
	database := dbtest.Postgres(t)
	s = siteOn(t, database)
	s.settle()
	first = s.loggedIn()
	other := &site{T: t, queue: s.queue, actor: system}
	other.serve(database)
	return s, first, &browser{site: other, client: first.client, header: first.header}
}

// count is how often the audit log of the project has an action.
func (s *site) count(action string) int {
	s.Helper()
	n := 0
	for _, a := range s.actions() {
		if a == action {
			n++
		}
	}
	return n
}

// TestPressingTwiceMakesOneThing presses the button of each form that makes
// something at two processes at once, and later again. It made two.
func TestPressingTwiceMakesOneThing(t *testing.T) {
	t.Parallel()
	s, first, second := twoProcesses(t)
	s.receive("shop", "", `{"type":"order.paid"}`)
	s.attempt(s.endpoint, relay.DeliveryDLQ, 500, "no")
	ev, d := s.events()[0], s.deliveries()[0]
	audited := func(action string) func() int { return func() int { return s.count(action) } }
	for _, form := range []struct {
		page, action string
		fields       url.Values
		count        func() int
		says         string
	}{
		{"/sources/new", "/sources", url.Values{"name": {"Till"}}, audited("source.created"), "Created the source Till."},
		{"/endpoints/new", "/endpoints", url.Values{"name": {"Orders"}, "url": {"https://orders.acme.example/"}}, audited("endpoint.created"), "whsec_"},
		{"/api-keys", "/api-keys", url.Values{"name": {"CI"}, "scope": {"write"}}, audited("api_key.created"), "rp_"},
		{"/replays/new", "/replays", url.Values{"of": {"events"}}, audited("replay_job.planned"), "Drop the plan"},
		{"/dead-letters", "/dead-letters/replay", nil, audited("replay_job.started"), "Replaying 1 dead letter."},
		{eventPath(ev.ID), eventPath(ev.ID) + "/replay", nil, audited("event.replayed"), "Replayed"},
		{deliveryPath(d.ID), deliveryPath(d.ID) + "/replay", nil, audited("webhook_delivery.replayed"), "Replayed"},
		{endpointPath(s.endpoint.ID), endpointPath(s.endpoint.ID) + "/test-fire", nil, audited("endpoint.test_fired"), "Sent a test event"},
		{endpointPath(s.endpoint.ID) + "?tab=settings", endpointPath(s.endpoint.ID) + "/rotate", nil, audited("endpoint.secret_rotated"), "whsec_"},
		{"/settings", "/projects", url.Values{"name": {"Staging"}}, func() int {
			projects, err := s.store.ProjectsOf(s.Context(), s.user.ID)
			s.check(err)
			return len(projects)
		}, "Created the project Staging."},
	} {
		fields := first.get(form.page).wants(http.StatusOK).fieldsOf(form.action)
		for name, value := range form.fields {
			fields[name] = value
		}
		for _, b := range []*browser{first, second} { // who types for a while has a session that every call writes
			b.ahead.Add(int64(2 * sessionTouch))
		}
		before := form.count()
		var pressed [2]*shown
		var both sync.WaitGroup
		for i, b := range []*browser{first, second} {
			both.Go(func() { pressed[i] = b.post(form.action, fields) })
		}
		both.Wait()
		to := pressed[0].wants(http.StatusSeeOther).Header.Get("Location")
		if also := pressed[1].wants(http.StatusSeeOther).Header.Get("Location"); also != to {
			t.Errorf("%s leads to %s and to %s", form.action, to, also)
		}
		// What a process knows of what the other made it reads a little later.
		var page *shown
		for deadline := time.Now().Add(10 * time.Second); ; {
			if page = second.get(to); page.StatusCode != http.StatusNotFound || time.Now().After(deadline) {
				break
			}
		}
		page.wants(http.StatusOK).says(form.says)
		if again := first.post(form.action, fields).wants(http.StatusSeeOther).Header.Get("Location"); again != to {
			t.Errorf("%s, pressed again, leads to %s, not to %s", form.action, again, to)
		}
		if made := form.count() - before; made != 1 {
			t.Errorf("%s made %d", form.action, made)
		}
	}
}

// TestARefusedFormMayBeSentAgain: what was typed wrong is mended on the same page,
// or is no longer wrong.
func TestARefusedFormMayBeSentAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.loggedIn()
	fields := b.get("/sources/new").fieldsOf("/sources")
	if fields.Get(views.FormToken) == "" {
		t.Fatal("the form has no token")
	}
	fields.Set("name", "Till")
	fields.Set("slug", s.source.Slug)
	for range 2 {
		b.post("/sources", fields).wants(http.StatusUnprocessableEntity)
	}
	s.check(s.store.DeleteSource(s.Context(), s.project.ID, s.source.ID, s.actor))
	b.post("/sources", fields).follow().says("Created the source Till.")
	b.post("/sources", fields).wants(http.StatusSeeOther)
	fields.Set("name", "Another")
	fields.Set("slug", "another")
	b.post("/sources", fields).follow().says("Created the source Another.")
	if n := s.count("source.created"); n != 3 {
		t.Errorf("%d sources were made, want 2 beside the first", n-1)
	}
}

// TestSetUpPressedTwiceLetsIn: the second press was told that the link does not
// work.
func TestSetUpPressedTwiceLetsIn(t *testing.T) {
	t.Parallel()
	s := emptySite(t)
	fields := url.Values{"token": {s.token}, "email": {"Mara@acme.example"}, "password": {testPassword}, "project_name": {"Acme"}}
	b := s.browser()
	b.post("/setup", fields).wants(http.StatusSeeOther)
	again := s.browser()
	if to := again.post("/setup", fields).wants(http.StatusSeeOther).Header.Get("Location"); to != "/" {
		t.Errorf("it leads to %s", to)
	}
	again.get("/").wants(http.StatusOK).says("mara@acme.example")
	fields.Set("password", "something else")
	s.browser().post("/setup", fields).wants(http.StatusForbidden)
	projects, err := s.store.Projects(s.Context())
	if s.check(err); len(projects) != 1 {
		t.Errorf("%d projects", len(projects))
	}
}

// TestEveryFormThatMakesHasAToken looks at all forms of all pages.
func TestEveryFormThatMakesHasAToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	furnish(s)
	b := s.loggedIn()
	makes := func(action string) bool {
		for _, path := range []string{"/sources", "/endpoints", "/api-keys", "/replays", "/projects", "/events/bulk", "/deliveries/bulk"} {
			if action == path {
				return true
			}
		}
		return action == "" || strings.HasSuffix(action, "/replay") || strings.HasSuffix(action, "/replay-failed") ||
			strings.HasSuffix(action, "/rotate") || strings.HasSuffix(action, "/test-fire")
	}
	found := 0
	for _, path := range append(everyPage(s), "/replays/new") {
		page := b.get(path).wants(http.StatusOK)
		for _, form := range page.elements("form") {
			if attr(form, "method") != "post" || !makes(attr(form, "action")) {
				continue
			}
			found++
			if !strings.Contains(markup(t, form), `name="`+views.FormToken+`"`) {
				t.Errorf("%s: the form to %q has no token", path, attr(form, "action"))
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d forms", found)
	}
}
