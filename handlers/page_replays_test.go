package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

func TestReplayForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	second := s.newEndpoint(s.project.ID, "Second")
	s.receive("shop", "", `{"type":"order.paid"}`)
	s.attempt(s.endpoint, relay.DeliveryDLQ, 500, "no")
	s.attempt(second, relay.DeliveryDelivered, 200, "yes")
	b := s.loggedIn()
	ev := s.events()[0]
	page := b.get(eventPath(ev.ID)).wants(http.StatusOK).says("Billing", "Second", "The endpoint answered no")
	if len(page.elements("form")) == 0 {
		t.Fatal("no form to replay with")
	}

	b.post(eventPath(ev.ID)+"/replay", nil).follow().says("Replayed "+shortID("evt_"+ev.ID.UUID())+" to 2 endpoints.", "See its deliveries")
	one := b.post(eventPath(ev.ID)+"/replay", url.Values{"endpoint_ids": {relay.PrefixEndpoint.Format(second.ID)}, "return_to": {"/events?status=failed"}})
	if to := one.Header.Get("Location"); to != "/events?status=failed" {
		t.Errorf("leads to %q", to)
	}
	one.follow().says("to 1 endpoint.", "See the delivery")
	if n := len(s.deliveries()); n != 5 {
		t.Errorf("%d deliveries, want 5", n)
	}
	if !slices.Contains(s.queue.nudged, second.ID) {
		t.Error("the workers were not told")
	}
	b.post(eventPath(ev.ID)+"/replay", url.Values{"chosen": {"1"}}).follow().says("No endpoint was chosen")
	foreign := s.newEndpoint(s.foreign.ID, "Theirs")
	b.post(eventPath(ev.ID)+"/replay", url.Values{"endpoint_ids": {relay.PrefixEndpoint.Format(foreign.ID)}}).wants(http.StatusSeeOther)
	if n := len(s.deliveries()); n != 5 {
		t.Errorf("%d deliveries after a replay to a foreign endpoint", n)
	}

	s.check(s.store.DeleteEndpoint(s.Context(), s.project.ID, s.endpoint.ID, s.actor))
	s.check(s.store.DeleteEndpoint(s.Context(), s.project.ID, second.ID, s.actor))
	b.post(eventPath(ev.ID)+"/replay", nil).follow().says("No endpoint takes this event now")
}

func TestDeliveryForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.receive("shop", "", `{"type":"order.paid"}`)
	dead := s.attempt(s.endpoint, relay.DeliveryDLQ, 503, "closed")[0]
	b := s.loggedIn()
	b.get("/dead-letters").wants(http.StatusOK).says("order.paid", "closed")
	path := deliveryPath(dead)
	b.get(path).wants(http.StatusOK).says("503", "closed")

	replayed := b.post(path+"/replay", nil).follow().says("Replayed "+shortID("wdl_"+dead.UUID()), "See the delivery")
	newest := s.deliveries()[0]
	if newest.ReplayOf != dead || newest.Trigger != relay.TriggerReplay {
		t.Errorf("the replay is %+v", newest)
	}
	if !strings.Contains(replayed.body, deliveryPath(newest.ID)) {
		t.Error("no link to the new delivery")
	}
	b.get("/dead-letters").hides("order.paid")
	b.post(deliveryPath(newest.ID)+"/discard", url.Values{"reason": {strings.Repeat("x", 501)}}).follow().says("at most 500 bytes")
	b.post(deliveryPath(newest.ID)+"/discard", url.Values{"reason": {"not wanted"}}).follow().says("Discarded", "not wanted")
	b.post(deliveryPath(newest.ID)+"/discard", nil).wants(http.StatusSeeOther)
	b.post(deliveryPath(newest.ID)+"/retry", nil).follow().says("Retried", "It is tried again right now.")
	if d := s.deliveries()[0]; d.Status != relay.DeliveryPending || d.ID != newest.ID {
		t.Errorf("after the retry: %+v", d)
	}
	did := []string{"webhook_delivery.retried", "webhook_delivery.discarded", "webhook_delivery.replayed"}
	if diff := cmp.Diff(did, s.actions()[:3]); diff != "" {
		t.Error(diff)
	}
}

func TestBulkForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range 3 {
		s.receive("shop", "", fmt.Sprintf(`{"type":"order.paid","n":%d}`, i))
	}
	s.attempt(s.endpoint, relay.DeliveryDLQ, 500, "no")
	b := s.loggedIn()
	form := url.Values{"action": {"replay"}, "return_to": {"/dead-letters?event_type=order.paid"}}
	b.post("/deliveries/bulk", form).follow().says("Nothing was chosen.")
	for _, d := range s.deliveries() {
		form.Add("ids", relay.PrefixDelivery.Format(d.ID))
	}
	form.Add("ids", relay.PrefixDelivery.Format(relay.NewID()))
	b.post("/deliveries/bulk", form).follow().says("Replayed 3 deliveries. 1 could not be: There is nothing with this id")
	if n := len(s.deliveries()); n != 6 {
		t.Errorf("%d deliveries, want 6", n)
	}

	form = url.Values{"action": {"replay"}}
	for _, ev := range s.events() {
		form.Add("ids", relay.PrefixEvent.Format(ev.ID))
	}
	b.post("/events/bulk", form).follow().says("Replayed 3 events as 3 deliveries.")

	s.queue.mu.Lock()
	clear(s.queue.taken)
	s.queue.mu.Unlock()
	form = url.Values{"action": {"replay"}}
	for _, d := range s.deliveries() {
		form.Add("ids", relay.PrefixDelivery.Format(d.ID))
	}
	for range 10 {
		b.post("/deliveries/bulk", form).wants(http.StatusSeeOther)
	}
	before := len(s.deliveries())
	b.post("/deliveries/bulk", form).follow().says("Too many manual replays of this endpoint.")
	b.post(deliveryPath(s.deliveries()[0].ID)+"/replay", nil).follow().says("Too many manual replays of this endpoint.")
	if after := len(s.deliveries()); after != before {
		t.Errorf("%d deliveries over the limit", after-before)
	}

	form.Set("action", "burn")
	b.post("/events/bulk", form).wants(http.StatusBadRequest)
	b.post("/deliveries/bulk", form).wants(http.StatusBadRequest)
	form = url.Values{"action": {"retry"}}
	for range bulkMost + 1 {
		form.Add("ids", relay.PrefixDelivery.Format(relay.NewID()))
	}
	b.post("/deliveries/bulk", form).wants(http.StatusBadRequest).says("at most 100")
	b.post("/deliveries/bulk", url.Values{"action": {"retry"}, "ids": {"nonsense"}}).wants(http.StatusBadRequest)
}

func TestRejectedEventIsNotReplayable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := s.store.UpdateSource(s.Context(), s.project.ID, s.source.ID, s.actor, func(src *relay.Source) error {
		src.Verifier = relay.Verifier{Type: relay.VerifierAPIKey, APIKey: &relay.APIKeyVerifier{HeaderName: "X-Key", HeaderValue: "k"}}
		return nil
	})
	s.check(err)
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.url+"/in/shop", strings.NewReader("{}"))
	s.check(err)
	resp, err := http.DefaultClient.Do(req)
	s.check(err)
	s.check(resp.Body.Close())
	b := s.loggedIn()
	ev := s.events()[0]
	b.get(eventPath(ev.ID)).wants(http.StatusOK).says("never replayed")
	b.post(eventPath(ev.ID)+"/replay", nil).wants(http.StatusSeeOther)
	if n := len(s.deliveries()); n != 0 {
		t.Errorf("%d deliveries", n)
	}
	b.get("/").wants(http.StatusOK).says("Shop")
	b.get("/events?signature_valid=false").wants(http.StatusOK).says(shortID("evt_" + ev.ID.UUID()))
	b.get("/events?signature_valid=true").wants(http.StatusOK).hides(ev.ID.UUID())
}

func TestReplayOfAListMeansItsType(t *testing.T) {
	for typ, same := range map[string]bool{"": true, "invoice.paid": true, "a b": true, "invoice.*": false, "a,b": false, "a\nb": false, " a": false} {
		if got := eventsReplay(views.EventFilter{EventType: typ}) != nil; got != same {
			t.Errorf("events of type %q: a plan is offered: %t", typ, got)
		}
		if got := deliveriesReplay(views.DeliveryFilter{EventType: typ}, "dlq") != nil; got != same {
			t.Errorf("deliveries of type %q: a plan is offered: %t", typ, got)
		}
	}
}
