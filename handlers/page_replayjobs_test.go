package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// jobs are the replay jobs of the project, newest first.
func (s *site) jobs() []relay.ReplayJob {
	s.Helper()
	found, err := s.store.Replays(s.Context(), s.project.ID, db.ReplayFilter{}, db.Page{Limit: 100})
	s.check(err)
	return found.Rows
}

// plan makes a plan by the form, and gives its page.
func (b *browser) plan(values url.Values) *shown {
	b.Helper()
	p := b.post("/replays", values).wants(http.StatusSeeOther)
	return b.get(p.Header.Get("Location")).wants(http.StatusOK)
}

func TestReplayIsPlannedAndRun(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 3 {
		s.receive("shop", "", `{"type":"order.paid"}`)
	}
	s.receive("shop", "", `{"type":"order.shipped"}`)
	s.attempt(s.endpoint, relay.DeliveryDelivered, 200, "yes")
	b := s.loggedIn()
	b.get("/replays").wants(http.StatusOK).says("No replay yet", "Plan a replay")
	b.get("/replays/new").wants(http.StatusOK).says("What to send", "Skip what was already delivered")

	p := b.plan(url.Values{
		"of": {"events"}, "event_types": {"order.paid"}, "skip_delivered": {"false"}, "rate_limit": {"20"}, "brake": {"0"}, "note": {"Why: " + evil},
	})
	p.says("nothing was sent yet", "Send 3 deliveries", "sent a second time", "Why: ", "order.paid", "at most 20/s", "reprise replay start rpl_")
	checkMarkup(p)
	if n := len(s.deliveries()); n != 4 {
		t.Errorf("a plan made %d deliveries", n-4)
	}
	job := s.jobs()[0]
	path := replayPath(job.ID)

	b.post(path+"/start", nil).follow().says("Started.", "running", "of 3 deliveries done", "Nothing has failed so far")
	b.post(path+"/start", nil).wants(http.StatusSeeOther)
	b.post(path+"/rate", url.Values{"rate_limit": {"0"}}).wants(http.StatusUnprocessableEntity).says("Half", "1 to 1000")
	b.post(path+"/rate", url.Values{"rate_limit": {"fast"}}).wants(http.StatusUnprocessableEntity).says("must be a whole number")
	b.post(path+"/rate", url.Values{"rate_limit": {"7"}}).follow().says("7 deliveries a second", "at most 7/s")
	b.post(path+"/pause", nil).follow().says("paused", "Paused by mara@acme.example.", "Resume")
	b.post(path+"/resume", nil).follow().says("running")
	b.get("/replays").wants(http.StatusOK).says("running", "Why: ")
	ended := b.post(path+"/cancel", nil).follow().says("cancelled", "Plan again")
	form := b.get(ended.toReplay()).wants(http.StatusOK).fieldsOf("/replays")
	if form.Get("rate_limit") != "7" || form.Get("brake") != "0" || form.Get("skip_delivered") != "false" {
		t.Errorf("the form that plans it again: %v", form)
	}
	if got := s.jobs()[0].Status; got != relay.ReplayCancelled {
		t.Errorf("the job is %s", got)
	}
	b.get("/audit-log").wants(http.StatusOK).says("replay_job.planned", "replay_job.started", "replay_job.rate_changed", "replay_job.paused", "replay_job.cancelled")
}

func TestReplayFormFaults(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.loggedIn()
	faults := []struct {
		field, value string
		says         string
	}{
		{"from", "yesterday", "must be a time"},
		{"rate_limit", "0", "1 to 1000"},
		{"rate_limit", "-1", "1 to 1000"},
		{"rate_limit", "1000000000000", "1 to 1000"},
		{"rate_limit", "many", "must be a whole number"},
		{"max_events", "-5", "0 to 1000000"},
		{"canary", "x", "must be a whole number"},
		{"brake", "101", "0 to 100"},
		{"endpoint_ids", "nonsense", "must be ids of endpoints"},
		{"endpoint_ids", relay.PrefixEndpoint.Format(relay.NewID()), ""},
		{"source_id", evil, "must be an id"},
		{"status", "happy", "must be a status of events"},
		{"ignore_filter", "true", "needs endpoint_ids"},
		{"note", strings.Repeat("n", 1001), ""},
	}
	for _, f := range faults {
		p := b.post("/replays", url.Values{"of": {"events"}, f.field: {f.value}}).wants(http.StatusUnprocessableEntity)
		p.says("Nothing was planned", f.says)
		checkMarkup(p)
	}
	b.post("/replays", url.Values{"from": {"2026-02-01T00:00:00"}, "to": {"2026-01-01T00:00"}}).wants(http.StatusUnprocessableEntity).says("must be after from")
	b.post("/replays", url.Values{"of": {"deliveries"}}).wants(http.StatusUnprocessableEntity).says("must be chosen, or an endpoint")
	if n := len(s.jobs()); n != 0 {
		t.Errorf("%d jobs were planned", n)
	}
}

// toReplay is the first link to a form of a replay that is filled in.
func (p *shown) toReplay() string {
	p.Helper()
	for _, a := range p.elements("a") {
		if href := attr(a, "href"); strings.HasPrefix(href, "/replays/new?") {
			return href
		}
	}
	return ""
}

func TestListsLeadToReplays(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	furnish(s)
	b := s.loggedIn()
	for path, want := range map[string]bool{
		"/events": true, "/events?event_type=order.paid": true, "/events?signature_valid=false": false, "/events?idempotency_key=x": false,
		"/deliveries": false, "/deliveries?status=dlq": true, "/deliveries?status=pending": false,
		"/deliveries?endpoint_id=" + relay.PrefixEndpoint.Format(s.endpoint.ID): true, "/dead-letters?event_type=order.paid": true,
	} {
		link := b.get(path).wants(http.StatusOK).toReplay()
		if (link != "") != want {
			t.Errorf("%s: leads to a replay: %q", path, link)
		}
		if link != "" {
			checkMarkup(b.get(link).wants(http.StatusOK))
		}
	}
	b.get("/replays/new?of=events&endpoint_ids=x&skip_delivered=false&skip_delivered=true&last=24h&note=" + url.QueryEscape(evil)).wants(http.StatusOK)
	checkMarkup(b.get("/replays/new?of=deliveries&cause=" + url.QueryEscape(evil) + "&replay_id=" + url.QueryEscape(evil)).wants(http.StatusOK))
}

func TestDeadLettersByCause(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 3 {
		s.receive("shop", "", `{"type":"order.paid"}`)
	}
	s.attempt(s.endpoint, relay.DeliveryDLQ, 500, "no table")
	s.receive("shop", "", `{"type":"order.paid"}`)
	s.attempt(s.endpoint, relay.DeliveryDLQ, 503, "busy")
	groups, err := s.store.DeadLetterGroups(s.Context(), s.project.ID)
	s.check(err)
	if len(groups) != 2 || groups[0].Count != 3 {
		t.Fatalf("groups: %+v", groups)
	}
	b := s.loggedIn()
	b.get("/dead-letters").wants(http.StatusOK).says("By cause", "no table", "busy", "Replay all 4", "Discard 3 dead letters")
	endpoint := relay.PrefixEndpoint.Format(s.endpoint.ID)
	b.get("/dead-letters?endpoint_id=" + endpoint + "&cause=" + groups[1].Cause).wants(http.StatusOK).says("1 dead letter")
	b.get("/replays/new?of=deliveries&delivery_status=failed&delivery_endpoint_id=" + endpoint + "&cause=" + groups[1].Cause).says("busy")

	b.post("/dead-letters/replay", url.Values{"endpoint_id": {endpoint}, "cause": {groups[0].Cause}}).follow().says("Replaying 3 dead letters.", "running", "of 3 deliveries done")
	b.post("/dead-letters/discard", url.Values{"endpoint_id": {endpoint}, "cause": {groups[1].Cause}, "reason": {strings.Repeat("x", 501)}}).
		follow().says("at most 500 bytes")
	b.post("/dead-letters/discard", url.Values{"endpoint_id": {endpoint}, "cause": {groups[1].Cause}, "reason": {"test data"}}).
		follow().says("Discarded 1 dead letter.")
	b.post("/dead-letters/discard", url.Values{"endpoint_id": {"nonsense"}}).wants(http.StatusSeeOther)
	b.get("/audit-log?action=dead_letters.discarded").wants(http.StatusOK).says("test data")
}

// TestReplayPageShowsFailuresSoFar is for who looks at a job that brakes: what
// failed once has no final state for minutes.
func TestReplayPageShowsFailuresSoFar(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.receive("shop", "", `{"type":"order.paid"}`)
	s.attempt(s.endpoint, relay.DeliveryDelivered, 200, "")
	job := relay.ReplayJob{ProjectID: s.project.ID, EndpointIDs: []relay.ID{s.endpoint.ID}, RateLimit: 50}
	s.check(s.store.PlanReplay(s.Context(), &job, s.actor))
	_, err := s.store.StartReplay(s.Context(), s.project.ID, job.ID, s.actor)
	s.check(err)
	_, err = s.store.WalkReplay(job.ID).Next(s.Context(), 10)
	s.check(err)
	s.attempt(s.endpoint, relay.DeliveryRetrying, 503, "busy")
	b := s.loggedIn()
	b.get(replayPath(job.ID)).wants(http.StatusOK).says("1 to be tried again", "look at one").hides("Nothing has failed so far", "Replay only these")
	b.get("/").hides("1 delivery remains")
	_, err = s.store.PauseReplay(s.Context(), s.project.ID, job.ID, "lunch", s.actor)
	s.check(err)
	b.get("/").wants(http.StatusOK).says("is paused, 1 delivery remains", "lunch", "Resume or cancel")
}

func TestForeignReplaysAreUnknown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.newSource(s.foreign.ID, "Theirs", "theirs")
	s.newEndpoint(s.foreign.ID, "Theirs")
	s.receive("theirs", "", `{"type":"secret.thing"}`)
	theirs := relay.ReplayJob{ProjectID: s.foreign.ID, RateLimit: 1, Note: "secret.thing"}
	s.check(s.store.PlanReplay(s.Context(), &theirs, s.actor))
	b := s.loggedIn()
	for _, id := range []string{relay.PrefixReplay.Format(theirs.ID), relay.PrefixReplay.Format(relay.NewID()), "nonsense"} {
		b.get("/replays/" + id).wants(http.StatusNotFound).hides("secret.thing")
		for _, act := range []string{"/start", "/pause", "/resume", "/cancel", "/rate", "/replay-failed"} {
			b.post("/replays/"+id+act, url.Values{"rate_limit": {"5"}}).wants(http.StatusNotFound).hides("secret.thing")
			b.header.Set("Sec-Fetch-Site", "cross-site")
			b.post("/replays/"+id+act, url.Values{"rate_limit": {"5"}}).wants(http.StatusForbidden)
			b.header.Del("Sec-Fetch-Site")
		}
	}
	b.get("/replays").wants(http.StatusOK).hides("secret.thing")
}

func TestNewEndpointIsBackfilled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.receive("shop", "", `{"type":"order.paid"}`)
	b := s.loggedIn()
	form := url.Values{"name": {"Late"}, "url": {"https://late.acme.example/in"}, "backfill_days": {"400"}}
	b.post("/endpoints", form).wants(http.StatusUnprocessableEntity).says("from 1 to 365")
	form.Set("backfill_days", "7")
	b.post("/endpoints", form).follow().says("Sending it the events of the last 7 days.", "Watch the replay")
	if jobs := s.jobs(); len(jobs) != 1 || !jobs[0].Backfill || jobs[0].Status != relay.ReplayRunning {
		t.Fatalf("jobs: %+v", jobs)
	}
	b.get(replayPath(s.jobs()[0].ID)).wants(http.StatusOK).says("backfill of a new endpoint", "of 1 deliveries done").hides("Plan again")
}
