package handlers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/reprise-dev/reprise/relay"
)

// polls are the parts of a page that ask for themselves.
func (p *shown) polls() []*html.Node {
	p.Helper()
	var found []*html.Node
	for _, n := range p.elements("") {
		if strings.Contains(attr(n, "hx-trigger"), "every") {
			found = append(found, n)
		}
	}
	return found
}

// polled is what a part of a page gets that asks for itself.
func (b *browser) polled(path string) *shown {
	b.Helper()
	b.header.Set("HX-Request", "true")
	defer b.header.Del("HX-Request")
	return b.get(path).wants(http.StatusOK)
}

// TestPollsDrawTheirPart asks as every part of every page does that asks for
// itself. Polls once drew whole pages.
func TestPollsDrawTheirPart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	furnish(s)
	b := s.loggedIn()
	job := b.plan(url.Values{"of": {"events"}, "event_types": {"order.*"}, "skip_delivered": {"false"}}).path
	b.post(job+"/start", nil).wants(http.StatusSeeOther)
	asking := map[string]int{}
	for _, path := range append(everyPage(s), job, "/replays") {
		page := b.get(path).wants(http.StatusOK)
		for _, part := range page.polls() {
			asking[attr(part, "id")]++
			answer := b.polled(attr(part, "hx-get"))
			if strings.Contains(answer.body, "<main") || strings.Contains(answer.body, "<html") {
				t.Errorf("%s: #%s is answered with a whole page", path, attr(part, "id"))
			}
			ids := map[string]bool{}
			for _, n := range answer.elements("") {
				ids[attr(n, "id")] = true
			}
			wants := append(strings.Split(strings.ReplaceAll(attr(part, "hx-select-oob"), "#", ""), ","), attr(part, "id"), "dead-tally", "dead-dot")
			for _, id := range wants {
				if !ids[id] {
					t.Errorf("%s: the answer to #%s has no #%s", path, attr(part, "id"), id)
				}
			}
		}
	}
	for _, id := range []string{"overview", "live", "event-deliveries", "delivery-attempts", "replays", "replay"} {
		if asking[id] == 0 {
			t.Errorf("no page has a #%s that asks for itself", id)
		}
	}
}

// TestPollsEnd has what can change no more, of which pages asked on for ever.
func TestPollsEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.receive("shop", "", `{"type":"order.paid"}`)
	s.attempt(s.endpoint, relay.DeliveryDelivered, 200, "yes")
	ev, d := s.events()[0], s.deliveries()[0]
	b := s.loggedIn()
	job := b.plan(url.Values{"of": {"events"}, "skip_delivered": {"false"}}).path
	ends := func(path string) {
		t.Helper()
		for _, part := range b.polled(path).polls() {
			t.Errorf("%s: #%s asks on", path, attr(part, "id"))
		}
	}
	b.post(job+"/start", nil).wants(http.StatusSeeOther)
	if len(b.polled(job).polls()) == 0 || len(b.polled("/replays").polls()) == 0 {
		t.Error("nothing asks for a job that runs")
	}
	b.post(job+"/cancel", nil).wants(http.StatusSeeOther)
	for _, path := range []string{eventPath(ev.ID), deliveryPath(d.ID), job, "/replays", "/replays?status=running"} {
		ends(path)
	}
	b.polled("/replays?status=running").says("No replay matches")
	for range liveCap + 1 {
		s.receive("shop", "", `{"type":"order.paid"}`)
	}
	ends("/events?since=" + relay.PrefixEvent.Format(ev.ID))
	ends("/deliveries?since=" + relay.PrefixDelivery.Format(d.ID))
}

// dead is the number of dead letters that the frame of a page shows, or the
// answer to a poll brings, beside the entry and on a phone.
func (p *shown) dead() (tally, dot string) {
	p.Helper()
	if !strings.Contains(p.body, `id="dead-tally"`) || !strings.Contains(p.body, `id="dead-dot"`) {
		p.Errorf("%s has no number of dead letters", p.path)
	}
	for _, n := range p.elements("span") {
		switch attr(n, "id") {
		case "dead-tally":
			tally += textOf(n)
		case "dead-dot":
			dot += textOf(n)
		}
	}
	return tally, dot
}

// TestTheBadgeOfDeadLettersIsRight: it said 999 for 2,000, and still did on the
// page of the job that had just delivered them all.
func TestTheBadgeOfDeadLettersIsRight(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.loggedIn()
	reads := func(p *shown, want string) {
		t.Helper()
		tally, dot := p.dead()
		if tally != want || dot != strings.TrimPrefix(want+" waiting", " waiting") {
			t.Errorf("%s: the badge reads %q and %q, want %q", p.path, tally, dot, want)
		}
	}
	reads(b.get("/"), "")
	const many = 2000
	for range many {
		s.receive("shop", "", `{"type":"order.paid"}`)
	}
	for range many / 100 {
		s.attempt(s.endpoint, relay.DeliveryDLQ, 500, "no")
	}
	reads(b.get("/"), "2,000")
	first := deliveryPath(s.deliveries()[0].ID)
	reads(b.post(first+"/discard", nil).follow(), "1,999")
	reads(b.post(first+"/replay", nil).follow(), "1,999")

	job := b.post("/dead-letters/replay", nil).follow()
	reads(job, "1,999")
	walk := s.store.WalkReplay(s.jobs()[0].ID)
	for drained := false; !drained; {
		step, err := walk.Next(s.Context(), 100)
		s.check(err)
		drained = step.Drained || step.Stopped
	}
	for len(s.attempt(s.endpoint, relay.DeliveryDelivered, 200, "yes")) > 0 {
	}
	for _, path := range []string{job.path, "/replays", "/", deliveryPath(s.deliveries()[0].ID)} {
		reads(b.polled(path), "")
	}
}
