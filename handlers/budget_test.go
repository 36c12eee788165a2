package handlers

import (
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

// form posts a form of the dashboard, and gives what the next page says.
func (w *world) form(cookie, path, body string) answer {
	w.t.Helper()
	got := w.call("POST", path, body, "Cookie", cookie, "Sec-Fetch-Site", "same-origin", "Content-Type", "application/x-www-form-urlencoded")
	if got.StatusCode != 303 {
		w.t.Fatalf("%s: %d %s", path, got.StatusCode, got.text)
	}
	return w.call("GET", got.Header.Get("Location"), nil, "Cookie", cookie)
}

// TestOneBudgetOfTests fires tests by both calls of the API and by the
// dashboard; the command line makes the first of these calls.
func TestOneBudgetOfTests(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id, other := w.endpointFor(nil)["id"].(string), w.endpointFor(nil)["id"].(string)
	cookie := w.logIn(testEmail)
	native, sendoka, page := "/api/v1/endpoints/"+id+"/test-fire", "/api/v1/webhooks/"+id+"/test-fire", "/endpoints/"+id+"/test-fire"
	for range 6 {
		w.api("POST", native, object{"event": "ping"}).data(t, 202)
		w.api("POST", sendoka, object{"event": "ping"}).json(t, 202)
		if got := w.form(cookie, page, "event=ping"); !strings.Contains(got.text, "Sent a test event") {
			t.Fatalf("the dashboard: %s", got.text)
		}
	}
	w.api("POST", native, object{"event": ""}).problem(t, 422, relay.KindValidation) // does not count
	for range 2 {
		w.api("POST", native, object{"event": "ping"}).data(t, 202)
	}
	for _, path := range []string{native, sendoka} {
		if got := w.api("POST", path, object{"event": "ping"}); got.problem(t, 429, relay.KindTestFireLimited) != nil || got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %v %s", path, got.Header, got.text)
		}
	}
	if got := w.form(cookie, page, "event=ping"); !strings.Contains(got.text, "Too many test events") {
		t.Errorf("the dashboard goes on: %s", got.text)
	}
	w.api("POST", "/v1/endpoints/"+other+"/test-fire", object{"event": "ping"}).data(t, 202)
	if n := len(w.api("GET", "/v1/deliveries?limit=100&endpoint_id="+id, nil).rows(t)); n != 20 {
		t.Errorf("%d tests were sent", n)
	}
}

// TestOneBudgetOfReplays does the same with replays by hand.
func TestOneBudgetOfReplays(t *testing.T) {
	t.Parallel()
	w := setup(t)
	id := w.endpointFor(nil)["id"].(string)
	event := w.event(w.source(nil), "x")
	w.settle(relay.DeliveryDLQ, 500)
	delivery := w.deliveriesOf(event)[0]["id"].(string)
	cookie := w.logIn(testEmail)
	one, some, native := "/api/v1/webhooks/"+id+"/deliveries/"+delivery+"/replay", "/api/v1/webhooks/"+id+"/replay-failed", "/api/v1/endpoints/"+id+"/replay-failed"
	page := "/deliveries/" + delivery + "/replay"
	for range 2 {
		w.api("POST", one, nil).json(t, 202)
		w.api("POST", some, nil).json(t, 202)
		w.api("POST", native, nil).data(t, 202)
		for range 2 {
			if got := w.form(cookie, page, ""); !strings.Contains(got.text, "Replayed") {
				t.Fatalf("the dashboard: %s", got.text)
			}
		}
	}
	before := len(w.deliveriesOf(event))
	for _, path := range []string{one, some, native} {
		w.api("POST", path, nil).problem(t, 429, relay.KindReplayLimited)
	}
	if got := w.form(cookie, page, ""); !strings.Contains(got.text, "Too many manual replays") {
		t.Errorf("the dashboard goes on: %s", got.text)
	}
	if after := len(w.deliveriesOf(event)); after != before {
		t.Errorf("%d deliveries over the limit", after-before)
	}
}
