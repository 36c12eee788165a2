package handlers

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

// listed are the rows that a page lists, in order: by the id that the link of
// each leads to, or by what only says stands in it.
func (p *shown) listed() []string {
	p.Helper()
	var rows []string
	for _, row := range p.elements("tr") {
		var name, id, at string
		for n := range row.Descendants() {
			switch {
			case n.Data == "th" && attr(n, "scope") == "row":
				name = strings.TrimSpace(textOf(n))
			case n.Data == "a" && strings.Contains(attr(n, "class"), "open"):
				id = path.Base(attr(n, "href"))
			case n.Data == "time":
				at = attr(n, "datetime")
			}
		}
		switch {
		case id != "":
			rows = append(rows, id)
		case name != "": // keys and entries of the audit log have no page
			rows = append(rows, name+" "+at)
		}
	}
	return rows
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

// answered are the rows of a list of the API, named as listed names them.
func (p *shown) answered(name ...string) []string {
	p.Helper()
	var list struct{ Data []map[string]any }
	p.check(json.Unmarshal([]byte(p.body), &list))
	var rows []string
	for _, row := range list.Data {
		var words []string
		for _, field := range name {
			words = append(words, row[field].(string))
		}
		rows = append(rows, strings.Join(words, " "))
	}
	return rows
}

// manifold fills the site so that each filter of each list takes some and leaves
// some. It gives a value or more for each.
func manifold(s *site) (events, deliveries, replays, audit map[string][]string) {
	s.Helper()
	till := s.newSource(s.project.ID, "Till", "till")
	_, err := s.store.UpdateSource(s.Context(), s.project.ID, till.ID, s.actor, func(src *relay.Source) error {
		src.IdempotencyKeys = []string{"request.header.X-Id"}
		src.Verifier = relay.Verifier{Type: relay.VerifierAPIKey, APIKey: &relay.APIKeyVerifier{HeaderName: "X-Key", HeaderValue: "right"}}
		return nil
	})
	s.check(err)
	for _, answer := range []struct {
		status relay.DeliveryStatus
		code   int
	}{{relay.DeliveryDelivered, 200}, {relay.DeliveryDLQ, 500}, {relay.DeliveryRetrying, 503}} {
		s.receive("shop", "", `{"type":"order.paid","n":"needle"}`)
		s.attempt(s.endpoint, answer.status, answer.code, "x")
	}
	second := s.newEndpoint(s.project.ID, "Second")
	s.receive("shop", "", `{"type":"order.sent"}`)
	s.attempt(second, relay.DeliveryDLQ, 500, "x")
	for _, key := range []string{"right", "right", "wrong"} { // the second is a duplicate, the third rejected
		s.post("/in/till", `{"type":"till.open"}`, "X-Id", "one", "X-Key", key)
	}
	s.receive("shop", "", `{"type":"order.lost"}`)
	d := s.deliveries()[0]
	_, err = s.store.DiscardDelivery(s.Context(), s.project.ID, d.ID, "", s.actor)
	s.check(err)

	job := relay.ReplayJob{ProjectID: s.project.ID, RateLimit: 1, SkipDelivered: false, Selection: relay.Selection{Status: relay.EventDelivered}}
	s.check(s.store.PlanReplay(s.Context(), &job, s.actor))
	_, err = s.store.StartReplay(s.Context(), s.project.ID, job.ID, s.actor)
	s.check(err)
	_, err = s.store.WalkReplay(job.ID).Next(s.Context(), 10)
	s.check(err)
	planned := relay.ReplayJob{ProjectID: s.project.ID, RateLimit: 1}
	s.check(s.store.PlanReplay(s.Context(), &planned, s.actor))

	at := func(t time.Time) []string { return []string{t.Format(time.RFC3339Nano)} }
	all := s.events()
	middle := all[len(all)/2].ReceivedAt
	events = map[string][]string{
		"source_id": {relay.PrefixSource.Format(till.ID), relay.PrefixSource.Format(s.source.ID)}, "event_type": {"order.paid", "till.open"},
		"status": {"forwarding", "failed", "duplicate", "rejected"}, "signature_valid": {"true", "false"}, "from": at(middle), "to": at(middle),
		"q": {"needle", relay.PrefixEvent.Format(all[0].ID)}, "idempotency_key": {all[slices.IndexFunc(all, func(e relay.Event) bool { return e.IdempotencyKey != "" })].IdempotencyKey},
	}
	made := s.deliveries()
	middle = made[len(made)/2].CreatedAt
	deliveries = map[string][]string{
		"endpoint_id": {relay.PrefixEndpoint.Format(second.ID), relay.PrefixEndpoint.Format(s.endpoint.ID)}, "event_id": {relay.PrefixEvent.Format(d.EventID)},
		"replay_id": {relay.PrefixReplay.Format(job.ID)}, "event_type": {"order.paid", "order.sent"},
		"status": {"pending", "retrying", "delivered", "failed", "dlq", "discarded"}, "from": at(middle), "to": at(middle),
	}
	replays = map[string][]string{"status": {"planned", "running"}}
	entry := s.entries()[2]
	audit = map[string][]string{
		"action": {"source.created", "replay_job.planned"}, "actor": {s.user.Email, relay.PrefixUser.Format(s.user.ID)}, "from": at(entry.At), "to": at(entry.At),
	}
	return events, deliveries, replays, audit
}

// TestPagesListWhatTheAPILists gives each page that lists something each filter
// that the API takes for the same list. /replays once ignored the status.
func TestPagesListWhatTheAPILists(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.loggedIn()
	b.post("/api-keys", url.Values{"name": {"CI"}, "scope": {"write"}}).wants(http.StatusSeeOther)
	events, deliveries, replays, audit := manifold(s)
	dead := map[string][]string{}
	for _, name := range []string{"endpoint_id", "event_type"} {
		dead[name] = deliveries[name]
	}
	for _, list := range []struct {
		path, api string
		always    string // of the API, what the page is about
		params    []string
		filters   map[string][]string
		names     []string
	}{
		{path: "/events", params: eventParams, filters: events},
		{path: "/deliveries", params: deliveryParams, filters: deliveries},
		{path: "/dead-letters", api: "/deliveries", always: "&status=failed", params: []string{"endpoint_id", "event_type"}, filters: dead},
		{path: "/replays", params: replayParams, filters: replays},
		{path: "/audit-log", params: auditParams, filters: audit, names: []string{"action", "created_at"}},
		{path: "/sources"}, {path: "/endpoints"}, {path: "/api-keys", names: []string{"name", "created_at"}},
	} {
		if list.api == "" {
			list.api = list.path
		}
		if list.names == nil {
			list.names = []string{"id"}
		}
		both := func(query string) []string {
			want := b.get("/api/v1" + list.api + "?limit=100" + list.always + "&" + query).wants(http.StatusOK).answered(list.names...)
			got := b.get(list.path + "?" + query).wants(http.StatusOK).listed()
			if list.params == nil { // pages show the oldest source first
				slices.Sort(got)
				slices.Sort(want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s?%s lists something else than the API:\n%s", list.path, query, diff)
			}
			return got
		}
		all := both("")
		for _, name := range list.params {
			if len(list.filters[name]) == 0 {
				t.Errorf("%s: no value for %s", list.path, name)
			}
			for _, value := range list.filters[name] {
				if some := both(name + "=" + url.QueryEscape(value)); len(some) == 0 || len(some) == len(all) {
					t.Errorf("%s: %s=%s takes %d of %d", list.path, name, value, len(some), len(all))
				}
			}
		}
	}
}

// TestNewerLeadsBack walks each list down and up again. Newer was dead.
func TestNewerLeadsBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 2*rowsShown + 5 {
		s.receive("shop", "", `{"type":"order.paid"}`)
		job := relay.ReplayJob{ProjectID: s.project.ID, RateLimit: 1}
		s.check(s.store.PlanReplay(s.Context(), &job, s.actor))
	}
	for range 2 {
		s.attempt(s.endpoint, relay.DeliveryDLQ, 500, "no")
	}
	b := s.loggedIn()
	for _, path := range []string{
		"/events", "/events?q=order.paid", "/events?status=failed", "/deliveries", "/deliveries?status=dlq", "/dead-letters", "/dead-letters?event_type=order.paid",
		"/replays", "/replays?status=planned", "/audit-log", "/audit-log?action=replay_job.planned",
	} {
		pages := []*shown{b.get(path).wants(http.StatusOK)}
		for older := pages[0].linked("next"); older != "" && len(pages) < 3; older = pages[len(pages)-1].linked("next") {
			pages = append(pages, b.get(older).wants(http.StatusOK))
		}
		if len(pages) < 3 || len(pages[0].listed()) != rowsShown || len(pages[2].listed()) < 5 {
			t.Errorf("%s has %d pages", path, len(pages))
			continue
		}
		if newer := pages[0].linked("prev"); newer != "" {
			t.Errorf("%s: nothing is newer, yet there is a link to it: %s", path, newer)
		}
		at := pages[2]
		for i := 1; i >= 0; i-- {
			at = b.get(at.linked("prev")).wants(http.StatusOK)
			if diff := cmp.Diff(pages[i].listed(), at.listed()); diff != "" {
				t.Errorf("%s: Newer of page %d does not lead back:\n%s", path, i+2, diff)
			}
		}
		if newer := at.linked("prev"); newer != "" {
			t.Errorf("%s: the first page that Newer led to has another: %s", path, newer)
		}
	}
}

// linked is where the link of a page to its neighbour leads; empty: there is none.
func (p *shown) linked(rel string) string {
	p.Helper()
	for _, a := range p.elements("a") {
		if attr(a, "rel") == rel {
			return attr(a, "href")
		}
	}
	return ""
}
