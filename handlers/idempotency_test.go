package handlers

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

func TestIdempotencyKey(t *testing.T) { onBoth(t, testIdempotencyKey) }

func testIdempotencyKey(t *testing.T, w *world) {
	const body = `{"name":"Shop","url":"https://shop.example.com/"}`
	first := w.api("POST", "/api/v1/endpoints", body, "Idempotency-Key", "k1")
	again := w.api("POST", "/api/v1/endpoints", body, "Idempotency-Key", "k1")
	if again.StatusCode != 201 || again.text != first.text || again.Header.Get("Idempotency-Replayed") != "true" || first.Header.Get("Idempotency-Replayed") != "" {
		t.Errorf("again: %d %s", again.StatusCode, again.text)
	}
	if fields := w.api("POST", "/api/v1/endpoints", strings.Replace(body, "Shop", "Shed", 1), "Idempotency-Key", "k1").problem(t, 422, relay.KindValidation); fields[0] != "Idempotency-Key" {
		t.Error(fields)
	}
	w.api("POST", "/api/v1/sources", `{"name":"x"}`, "Idempotency-Key", "k1").problem(t, 422, relay.KindValidation)
	// Another caller's keys are its own.
	if other := w.call("POST", "/api/v1/endpoints", body, "X-API-Key", w.other.write, "Idempotency-Key", "k1").data(t, 201); strings.Contains(first.text, other["id"].(string)) {
		t.Error("an answer crossed projects")
	}
	if n := len(w.api("GET", "/api/v1/endpoints", nil).rows(t)); n != 1 {
		t.Errorf("%d endpoints", n)
	}
	// What was refused can be mended under the same key.
	w.api("POST", "/api/v1/sources", `{"name":""}`, "Idempotency-Key", "k2").problem(t, 422, relay.KindValidation)
	w.api("POST", "/api/v1/sources", `{"name":"x"}`, "Idempotency-Key", "k2").data(t, 201)
	w.api("POST", "/api/v1/sources", `{"name":"x"}`, "Idempotency-Key", strings.Repeat("k", 256)).problem(t, 422, relay.KindValidation)
	w.api("GET", "/api/v1/sources", nil, "Idempotency-Key", "k1").json(t, 200) // nothing to repeat
}

func TestIdempotencyAtOnce(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.endpointFor(nil)
	id := w.event(w.source(nil), "x")
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			got := w.api("POST", "/api/v1/events/"+id+"/replay", nil, "Idempotency-Key", "once")
			if got.StatusCode != 202 && got.StatusCode != 409 {
				t.Errorf("%d %s", got.StatusCode, got.text)
			}
		})
	}
	wait.Wait()
	if n := len(w.deliveriesOf(id)); n != 2 {
		t.Errorf("%d deliveries, want the first and one replay", n)
	}
}

// TestIdempotentLocation repeats the calls that answer with a place.
func TestIdempotentLocation(t *testing.T) { onBoth(t, testIdempotentLocation) }

func testIdempotentLocation(t *testing.T, w *world) {
	_, events := w.past(1, "x")
	e := w.endpointFor(nil)
	hookstream := object{"destination_id": e["id"], "from": w.ago(time.Hour), "to": w.ago(0)}
	job := w.plan(object{"event_ids": []any{events[0]}})["id"].(string)
	for path, body := range map[string]object{
		"/api/v1/replays": {"event_ids": []any{events[0]}, "dry_run": true}, "/v1/replay": hookstream, "/api/v1/replay": hookstream,
		"/v1/replays/" + job + "/replay-failed": {"dry_run": true},
	} {
		first, again := w.api("POST", path, body, "Idempotency-Key", path), w.api("POST", path, body, "Idempotency-Key", path)
		if to := first.Header.Get("Location"); to == "" || again.Header.Get("Location") != to || again.text != first.text || again.StatusCode != 202 {
			t.Errorf("%s: first at %q, then at %q: %s", path, to, again.Header.Get("Location"), again.text)
		} else if found := w.api("GET", to, nil); found.StatusCode != 200 {
			t.Errorf("%s: %s is not there: %s", path, to, found.text)
		}
	}
	for range 2 {
		if got := w.api("POST", "/v1/sources", object{"name": "x"}, "Idempotency-Key", "none"); got.Header.Values("Location") != nil {
			t.Errorf("a place that nobody named: %v", got.Header)
		}
	}
}
