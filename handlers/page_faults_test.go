package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// TestReloadingMakesNoSecondKey makes a key and loads the page that showed it
// again, which once made another key.
func TestReloadingMakesNoSecondKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.loggedIn()
	made := b.post("/api-keys", url.Values{"name": {"CI"}, "scope": {"write"}}).wants(http.StatusSeeOther)
	key := regexp.MustCompile(`rp_[\w-]{20,}`)
	if key.MatchString(fmt.Sprint(made.Header) + made.body) {
		t.Error("the key is in the answer that leads on")
	}
	shown := key.FindString(made.follow().says("CI").body)
	if shown == "" {
		t.Fatal("the key is not shown")
	}
	b.get("/api-keys").wants(http.StatusOK).hides(shown)
	keys, err := s.store.Keys(s.Context(), s.project.ID, db.Page{})
	s.check(err)
	if len(keys.Rows) != 1 {
		t.Errorf("%d keys", len(keys.Rows))
	}
}

// TestReplaysAreListedByStatus asks the page for jobs of one status, as the API
// is asked.
func TestReplaysAreListedByStatus(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.receive("shop", "", `{"type":"order.paid"}`)
	b := s.loggedIn()
	b.post("/replays", url.Values{"of": {"events"}, "event_types": {"*"}}).wants(http.StatusSeeOther)
	for query, want := range map[string]bool{"": true, "?status=planned": true, "?status=completed": false} {
		page := b.get("/replays" + query).wants(http.StatusOK)
		if got := strings.Contains(page.body, replayPath(s.jobs()[0].ID)); got != want {
			t.Errorf("%q lists the job: %t", query, got)
		}
	}
	b.get("/replays?status=nonsense").wants(http.StatusUnprocessableEntity).says("must be planned, running")
}

// TestEveryDeliveryOffersItsReplay: on the page of an event they did not.
func TestEveryDeliveryOffersItsReplay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.receive("shop", "", `{"type":"order.paid"}`)
	s.attempt(s.endpoint, relay.DeliveryDLQ, 500, "no")
	event, delivery := s.events()[0], s.deliveries()[0]
	action := `action="` + deliveryPath(delivery.ID) + `/replay"`
	b := s.loggedIn()
	if page := b.get(eventPath(event.ID)); !strings.Contains(page.body, action) {
		t.Error("the page of the event has no form for it")
	}
	b.post(deliveryPath(delivery.ID)+"/replay", url.Values{"return_to": {eventPath(event.ID)}}).follow().says("Replayed")
	if n := len(s.deliveries()); n != 2 {
		t.Errorf("%d deliveries", n)
	}
}

// TestDuplicatesOfferNoReplay: it would be refused. Their rows say why they offer
// none, to those who see as well.
func TestDuplicatesOfferNoReplay(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	manifold(s)
	seen := map[relay.EventStatus]bool{}
	page := s.loggedIn().get("/events").wants(http.StatusOK)
	for _, row := range page.elements("tr") {
		for _, ev := range s.events() {
			if !strings.Contains(markup(t, row), `href="`+eventPath(ev.ID)+`"`) {
				continue
			}
			seen[ev.Status] = true
			refused := ev.Status == relay.EventDuplicate || ev.Status == relay.EventRejected
			if offered := strings.Contains(markup(t, row), eventPath(ev.ID)+"/replay"); offered == refused {
				t.Errorf("the row of an event that is %s offers a replay: %t", ev.Status, offered)
			}
			if says := strings.Contains(visible(row), "no replay: "+string(ev.Status)); says != refused {
				t.Errorf("the row of an event that is %s reads %q", ev.Status, visible(row))
			}
		}
	}
	for _, status := range []relay.EventStatus{relay.EventDuplicate, relay.EventRejected, relay.EventFailed, relay.EventForwarding} {
		if !seen[status] {
			t.Errorf("no row of an event that is %s", status)
		}
	}
}

func markup(t *testing.T, n *html.Node) string {
	t.Helper()
	var b strings.Builder
	if err := html.Render(&b, n); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// visible is the text of an element without what only screen readers say.
func visible(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	if strings.Contains(attr(n, "class"), "sr-only") {
		return ""
	}
	text := ""
	for c := range n.ChildNodes() {
		text += visible(c)
	}
	return text
}

// TestTheBacklogIsWhatItsListsShow compares the numbers of the overview with the
// lists that they lead to.
func TestTheBacklogIsWhatItsListsShow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 3 {
		s.receive("shop", "", `{"type":"order.paid"}`)
	}
	s.attempt(s.endpoint, relay.DeliveryRetrying, 500, "later")
	b := s.loggedIn()
	page := b.get("/")
	for _, status := range []string{"pending", "retrying"} {
		n := 0
		for _, d := range s.deliveries() {
			if string(d.Status) == status {
				n++
			}
		}
		page.says(fmt.Sprintf("%d %s", n, status))
		if !strings.Contains(page.body, `href="/deliveries?status=`+status+`"`) {
			t.Errorf("nothing leads to the list of %s", status)
		}
	}
}

// TestPagesSayThatNoWorkerRuns has deliveries that are due and nobody to send
// them.
func TestPagesSayThatNoWorkerRuns(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.loggedIn()
	b.get("/").hides("No worker runs")
	s.receive("shop", "", `{"type":"order.paid"}`)
	for _, path := range []string{"/", "/deliveries", eventPath(s.events()[0].ID)} {
		b.get(path).says("No worker runs", "reprise worker")
	}
	s.check(s.store.Beat(s.Context(), 1, "here", "worker"))
	b.get("/").hides("No worker runs")
}

// TestReplayedByIsWhoReplayedIt has many entries of the same second, among which
// it was looked for and not found.
func TestReplayedByIsWhoReplayedIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.receive("shop", "", `{"type":"order.paid"}`)
	s.attempt(s.endpoint, relay.DeliveryDLQ, 500, "no")
	b := s.loggedIn()
	b.post(deliveryPath(s.deliveries()[0].ID)+"/replay", nil).follow()
	for range 150 {
		s.check(s.store.Audit(s.Context(), relay.AuditEntry{ProjectID: s.project.ID, Actor: system, Action: "source.updated"}))
	}
	i := slices.IndexFunc(s.deliveries(), func(d relay.Delivery) bool { return d.Trigger == relay.TriggerReplay })
	b.get(deliveryPath(s.deliveries()[i].ID)).says("by mara@acme.example")
}

// TestEventsLeadToThoseBeside goes from one event to the next and back.
func TestEventsLeadToThoseBeside(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for range 3 {
		s.receive("shop", "", `{"type":"order.paid"}`)
	}
	events := s.events() // newest first
	b := s.loggedIn()
	for i, ev := range events {
		page := b.get(eventPath(ev.ID)).body
		for title, other := range map[string]int{"Newer event": i - 1, "Older event": i + 1} {
			there := other >= 0 && other < len(events)
			if got := strings.Contains(page, title); got != there {
				t.Errorf("event %d leads to a %s: %t", i, title, got)
			}
			if there && !strings.Contains(page, `href="`+eventPath(events[other].ID)+`" title="`+title) {
				t.Errorf("event %d leads elsewhere for its %s", i, title)
			}
		}
	}
}

// TestAPollOfAnEventDrawsWhatChanges: it drew the whole page, payload and all, and
// went on for ever where an endpoint was disabled.
func TestAPollOfAnEventDrawsWhatChanges(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.receive("shop", "", `{"type":"order.paid","note":"only in the payload"}`)
	path := eventPath(s.events()[0].ID)
	b := s.loggedIn()
	if page := b.get(path).says("only in the payload").body; !strings.Contains(page, `hx-trigger="every 3s"`) {
		t.Error("the page of an event that is forwarded does not ask for news")
	}
	b.header.Set("HX-Request", "true")
	news := b.get(path).wants(http.StatusOK).hides("only in the payload", "Copy as curl").body
	if !strings.Contains(news, `id="event-deliveries"`) || !strings.Contains(news, `id="state"`) {
		t.Errorf("the news are %s", news)
	}
	news = b.get(deliveryPath(s.deliveries()[0].ID)).wants(http.StatusOK).hides("Lineage").body
	for _, part := range []string{"delivery-attempts", "state", "delivery-state", "commands"} {
		if !strings.Contains(news, `id="`+part+`"`) {
			t.Errorf("the news of a delivery have no %s", part)
		}
	}
	if strings.Contains(news, "<html") {
		t.Error("the news of a delivery are a whole page")
	}
	b.header.Del("HX-Request")
	_, err := s.store.UpdateEndpoint(s.Context(), s.project.ID, s.endpoint.ID, "endpoint.updated", system, func(e *relay.Endpoint) error {
		e.Status = relay.EndpointDisabled
		return nil
	})
	s.check(err)
	if page := b.get(path).body; strings.Contains(page, `hx-trigger="every 3s"`) {
		t.Error("it asks on, though the endpoint is disabled")
	}
}
