package demo

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

var now = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

func TestEventsVerifyAndDiffer(t *testing.T) {
	t.Parallel()
	sources := map[string]Source{}
	for _, s := range Sources() {
		sources[s.Name] = s
	}
	types, ids := map[string]int{}, map[string]bool{}
	for i, e := range Events(100, now) {
		s, ok := sources[e.SourceName]
		if !ok {
			t.Fatalf("event %d is for a source %q that is not there", i, e.SourceName)
		}
		payload := &relay.Payload{Method: e.Method, Body: e.Body}
		for name, value := range e.Headers {
			payload.Headers = append(payload.Headers, relay.Header{Name: name, Value: value})
		}
		verifier := relay.Verifier{Type: s.Provider, Secret: s.Secret}
		if verdict := relay.Verify(verifier, now, payload, ""); verdict != relay.VerdictValid {
			t.Errorf("event %d of %s is %s", i, s.Name, verdict)
		}
		if !json.Valid(e.Body) {
			t.Errorf("event %d of %s is no JSON: %s", i, s.Name, e.Body)
		}
		source := relay.Source{Provider: s.Provider, Verifier: verifier}
		types[s.Name+" "+relay.EventType(source, payload)]++
		preset, _ := relay.PresetFor(s.Provider)
		source.IdempotencyKeys = preset.IdempotencyKeys
		ids[relay.IdempotencyKey(source, payload)] = true
	}
	if len(types) < 13 || types["Stripe unknown"] > 0 {
		t.Errorf("too few types, or unknown ones: %v", types)
	}
	if len(ids) != 100 {
		t.Errorf("100 events have %d idempotency keys", len(ids))
	}
}

func TestEventsAreReproducible(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(Events(30, now), Events(30, now)); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(Events(1, now), Events(1, now.Add(time.Second))) {
		t.Error("another moment makes the same event")
	}
}

func TestReceiver(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(Receiver())
	t.Cleanup(server.Close)
	for path, want := range map[string][]int{
		"/good": {200, 200, 200},
		"/dead": {503, 503, 503},
		// Not answering is status 0 here.
		"/flaky": {202, 202, 500, 202, 202, 0, 202, 202, 500},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			var got []int
			for range want {
				got = append(got, post(t, server.URL+path))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func post(t *testing.T, url string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if errors.Is(err, context.DeadlineExceeded) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}
