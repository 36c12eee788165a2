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

// replayDoors are all ways to replay something of one endpoint by hand. Each
// tells whether it let the replay through.
func (w *world) replayDoors(source, endpoint, event, delivery string) map[string]func() bool {
	project := relay.PrefixProject.Format(w.mine.project.ID)
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
		"a delivery":            call("POST", "/api/v1/deliveries/"+delivery+"/replay", nil, 202, limited),
		"an event":              call("POST", "/v1/events/"+event+"/replay", nil, 202, limited),
		"an event, named":       call("POST", "/v1/events/"+event+"/replay", object{"endpoint_ids": []any{endpoint}}, 202, limited),
		"what failed":           call("POST", "/api/v1/endpoints/"+endpoint+"/replay-failed", nil, 202, limited),
		"krafter":               call("POST", "/api/v1/webhooks/sources/"+source+"/events/"+event+"/replay", nil, 202, limited),
		"convoy":                call("PUT", "/api/v1/projects/"+project+"/events/"+event+"/replay", nil, 200, "manual replays"),
		"sendoka":               call("POST", "/api/v1/webhooks/"+endpoint+"/deliveries/"+delivery+"/replay", nil, 202, limited),
		"sendoka, what failed":  call("POST", "/api/v1/webhooks/"+endpoint+"/replay-failed", nil, 202, limited),
		"the page, a delivery":  form("/deliveries/"+delivery+"/replay", ""),
		"the page, an event":    form("/events/"+event+"/replay", ""),
		"the page, some rows":   form("/deliveries/bulk", "action=replay&ids="+delivery+"&ids="+delivery),
		"the page, some events": form("/events/bulk", "action=replay&ids="+event),
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
	doors := w.replayDoors(src["id"].(string), id, event, delivery)
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
	// In place, a job, and another endpoint are no replays of this endpoint by hand.
	for range 11 {
		w.api("POST", "/v1/webhook-deliveries/"+delivery+"/replay", "{}").json(t, 200)
	}
	w.api("POST", "/v1/replays", object{"event_ids": []any{event}}).data(t, 202)
	w.api("POST", "/v1/endpoints/"+other+"/replay-failed", nil).data(t, 202)
}

// TestBudgetOfSeveralEndpoints: a replay to several endpoints counts on each,
// or on none and sends nothing; and what is refused for another reason does
// not count.
func TestBudgetOfSeveralEndpoints(t *testing.T) { onBoth(t, testBudgetOfSeveralEndpoints) }

func testBudgetOfSeveralEndpoints(t *testing.T, w *world) {
	src := w.source(nil)
	full, free, gone := w.endpointFor(nil)["id"].(string), w.endpointFor(nil)["id"].(string), w.endpointFor(nil)["id"].(string)
	event := w.event(src, "x")
	w.settle(relay.DeliveryDLQ, 500)
	for range 10 {
		w.api("POST", "/v1/endpoints/"+full+"/replay-failed", nil).data(t, 202)
	}
	before := len(w.deliveriesOf(event))
	got := w.api("POST", "/v1/events/"+event+"/replay", nil)
	if got.problem(t, 429, relay.KindReplayLimited); got.Header.Get("Retry-After") == "" {
		t.Errorf("%v %s", got.Header, got.text)
	}
	if after := len(w.deliveriesOf(event)); after != before {
		t.Errorf("%d were sent", after-before)
	}
	if n := w.queue.count("replays:"); n != 10 {
		t.Errorf("%d replays count, want the 10 of one endpoint", n)
	}
	w.api("POST", "/v1/events/"+event+"/replay", object{"endpoint_ids": []any{free, gone}}).data(t, 202)
	if n := w.queue.count("replays:"); n != 12 {
		t.Errorf("%d replays count, want one more on each", n)
	}
	w.settle(relay.DeliveryDLQ, 500)
	dead := w.api("GET", "/v1/deliveries?status=failed&endpoint_id="+gone, nil).rows(t)[0]["id"].(string)
	if got := w.api("DELETE", "/v1/endpoints/"+gone, nil); got.StatusCode != 204 {
		t.Fatal(got.text)
	}
	w.api("POST", "/v1/deliveries/"+dead+"/replay", nil).problem(t, 409, relay.KindConflict)
	w.api("POST", "/v1/deliveries/"+relay.PrefixDelivery.Format(relay.NewID())+"/replay", nil).problem(t, 404, relay.KindNotFound)
	w.api("POST", "/v1/events/"+event+"/replay", object{"endpoint_ids": []any{free, gone}}).problem(t, 422, relay.KindValidation)
	w.api("POST", "/v1/endpoints/"+free+"/replay-failed", object{"since": "yesterday"}).problem(t, 422, relay.KindValidation)
	if n := w.queue.count("replays:"); n != 12 {
		t.Errorf("%d replays count after refusals", n)
	}
}
