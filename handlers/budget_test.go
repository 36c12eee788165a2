package handlers

import (
	"strings"
	"sync"
	"sync/atomic"
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

// replayDoors are all ways to replay deliveries of one endpoint by hand. Each
// tells whether it let the replay through.
func (w *world) replayDoors(endpoint, delivery string) map[string]func() bool {
	call := func(method, path string, body any, passed int, code string) func() bool {
		return func() bool {
			got := w.api(method, path, body)
			if got.StatusCode != passed && (got.StatusCode != 429 || !strings.Contains(got.text, code) || got.Header.Get("Retry-After") == "") {
				w.t.Errorf("%s: %d %v %s", path, got.StatusCode, got.Header, got.text)
			}
			return got.StatusCode == passed
		}
	}
	form := func(path, body string) func() bool {
		cookie := w.logIn(testEmail) // what a page says is kept in the session
		return func() bool { return !strings.Contains(w.form(cookie, path, body).text, "Too many manual replays") }
	}
	const limited = "REPLAY_RATE_LIMITED"
	return map[string]func() bool{
		"a delivery":           call("POST", "/api/v1/deliveries/"+delivery+"/replay", nil, 202, limited),
		"what failed":          call("POST", "/api/v1/endpoints/"+endpoint+"/replay-failed", nil, 202, limited),
		"sendoka":              call("POST", "/api/v1/webhooks/"+endpoint+"/deliveries/"+delivery+"/replay", nil, 202, limited),
		"sendoka, what failed": call("POST", "/api/v1/webhooks/"+endpoint+"/replay-failed", nil, 202, limited),
		"the page, a delivery": form("/deliveries/"+delivery+"/replay", ""),
		"the page, some rows":  form("/deliveries/bulk", "action=replay&ids="+delivery+"&ids="+delivery),
	}
}

// TestOneBudgetOfReplays replays through all doors at once: 10 replays of the
// endpoint go through, whoever asks. The command line makes native calls.
func TestOneBudgetOfReplays(t *testing.T) { onBoth(t, testOneBudgetOfReplays) }

func testOneBudgetOfReplays(t *testing.T, w *world) {
	src := w.source(nil)
	id, other := w.endpointFor(object{"event_filter": []string{"mine"}})["id"].(string), w.endpointFor(object{"event_filter": []string{"other"}})["id"].(string)
	event := w.event(src, `{"type":"mine"}`)
	w.settle(relay.DeliveryDLQ, 500)
	delivery := w.deliveriesOf(event)[0]["id"].(string)
	doors := w.replayDoors(id, delivery)
	for name, pass := range doors {
		w.queue.forget()
		if !pass() {
			t.Errorf("%s is shut", name)
		}
		if n := w.queue.count("replays:"); n != 1 {
			t.Errorf("%s counts as %d", name, n)
		}
	}
	w.queue.forget()
	var passed atomic.Int64
	var all sync.WaitGroup
	for _, pass := range doors {
		all.Go(func() {
			for range 3 {
				if pass() {
					passed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := passed.Load(); n != 10 {
		t.Errorf("%d replays went through", n)
	}
	before := len(w.deliveriesOf(event))
	for name, pass := range doors {
		if pass() {
			t.Errorf("%s goes on", name)
		}
	}
	if after := len(w.deliveriesOf(event)); after != before {
		t.Errorf("%d deliveries over the limit", after-before)
	}
	// In place, an event, a job and another endpoint are no replays of deliveries
	// of this one.
	for range 11 {
		w.api("POST", "/v1/events/"+event+"/replay", nil).data(t, 202)
		w.api("PUT", "/api/v1/projects/"+relay.PrefixProject.Format(w.mine.project.ID)+"/events/"+event+"/replay", nil).json(t, 200)
	}
	for range 11 {
		w.api("POST", "/v1/webhook-deliveries/"+delivery+"/replay", "{}").json(t, 200)
	}
	w.api("POST", "/v1/replays", object{"event_ids": []any{event}}).data(t, 202)
	w.api("POST", "/v1/endpoints/"+other+"/replay-failed", nil).data(t, 202)
}

// TestRefusedReplaysAreNotCounted: what is refused for another reason costs
// nothing of the budget.
func TestRefusedReplaysAreNotCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		src, gone := w.source(nil), w.endpointFor(nil)["id"].(string)
		w.event(src, "x")
		w.settle(relay.DeliveryDLQ, 500)
		dead := w.api("GET", "/v1/deliveries?status=failed&endpoint_id="+gone, nil).rows(t)[0]["id"].(string)
		w.api("POST", "/v1/endpoints/"+gone+"/replay-failed", object{"since": "yesterday"}).problem(t, 422, relay.KindValidation)
		if got := w.api("DELETE", "/v1/endpoints/"+gone, nil); got.StatusCode != 204 {
			t.Fatal(got.text)
		}
		w.api("POST", "/v1/deliveries/"+dead+"/replay", nil).problem(t, 409, relay.KindConflict)
		w.api("POST", "/v1/deliveries/"+relay.PrefixDelivery.Format(relay.NewID())+"/replay", nil).problem(t, 404, relay.KindNotFound)
		if n := w.queue.count("replays:"); n != 0 {
			t.Errorf("%d replays count after refusals", n)
		}
	})
}
