package handlers

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// serve lets the app answer on a port of its own and gives its address.
func (w *world) serve() string {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	served := make(chan error, 1)
	go func() { served <- w.Listener(l) }()
	w.t.Cleanup(func() {
		if err := w.ShutdownWithTimeout(10 * time.Second); err != nil {
			w.t.Errorf("shutting down: %v", err)
		}
		if err := <-served; err != nil {
			w.t.Errorf("serving: %v", err)
		}
	})
	return "http://" + l.Addr().String()
}

// open begins to read an answer of the app.
func (w *world) open(url string) *http.Response {
	w.t.Helper()
	return w.openAs(url, "X-API-Key", w.mine.read)
}

func (w *world) openAs(url, header, value string) *http.Response {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.(*testing.T).Context(), http.MethodGet, url, nil)
	w.must(err)
	req.Header.Set(header, value)
	resp, err := http.DefaultClient.Do(req)
	w.must(err)
	w.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestStream(t *testing.T) {
	t.Parallel()
	w := setup(t)
	goOn, ended := make(chan struct{}), make(chan error, 1)
	w.Get("/v1/test-events", w.read(func(c *call) error {
		return w.events(c, func(ctx context.Context, out *sse) error {
			w.must(out.event("first", 1))
			<-goOn
			w.must(out.beat())
			w.must(out.event("second", object{"text": "a\nb"}))
			<-ctx.Done()
			ended <- ctx.Err()
			return nil
		})
	}))
	w.Get("/v1/test-panic", w.read(func(c *call) error {
		return w.stream(c, "text/plain", time.Minute, func(_ context.Context, out *outflow) error {
			_, _ = io.WriteString(out, "some")
			w.must(out.send())
			panic("on purpose")
		})
	}))
	w.Get("/v1/test-failure", w.read(func(c *call) error {
		return w.stream(c, "text/plain", time.Minute, func(_ context.Context, out *outflow) error {
			_, _ = io.WriteString(out, "some")
			return errors.Join(out.send(), relay.ErrNotFound)
		})
	}))
	base := w.serve()

	resp := w.open(base + "/v1/test-events")
	lines := bufio.NewReader(resp.Body)
	expect := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(lines, got); err != nil || string(got) != want {
			t.Errorf("got %q (%v), want %q", got, err, want)
		}
	}
	if resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", resp.Header)
	}
	expect("retry: 1000\n\nid: 1\nevent: first\ndata: 1\n\n") // before the rest is written
	close(goOn)
	expect(":\n\nid: 2\nevent: second\ndata: {\"text\":\"a\\nb\"}\n\n")

	for _, path := range []string{"/v1/test-panic", "/v1/test-failure"} {
		resp := w.open(base + path)
		if got, err := io.ReadAll(resp.Body); string(got) != "some" || err == nil {
			t.Errorf("%s: %q, %v; want it to break off", path, got, err)
		}
	}
	w.streams.mu.Lock()
	if w.streams.all != 1 {
		t.Errorf("%d streams", w.streams.all)
	}
	w.streams.mu.Unlock()
	if got := w.call("HEAD", "/v1/test-panic", nil, "X-API-Key", w.mine.read); got.StatusCode != 200 || got.text != "" {
		t.Errorf("HEAD: %d %q", got.StatusCode, got.text)
	}

	w.must(w.ShutdownWithTimeout(10 * time.Second)) // does not wait for streams to run out
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if rest, err := io.ReadAll(lines); err != nil || strings.TrimSpace(string(rest)) != "" {
		t.Errorf("the end: %q, %v", rest, err)
	}
}

// TestOneCallerDoesNotStarveOthers opens as many streams as a read key can get.
func TestOneCallerDoesNotStarveOthers(t *testing.T) {
	t.Parallel()
	s := newStreams()
	who := func(project, key relay.ID) *caller {
		return &caller{Actor: relay.Actor{Kind: relay.ActorKey, ID: key}, Project: project}
	}
	mine, greedy := relay.NewID(), relay.NewID()
	taken := 0
	var leaves []func()
	for range 100 {
		if leave, err := s.take(who(mine, greedy)); err == nil {
			taken++
			leaves = append(leaves, leave)
		} else if relay.KindOf(err) != relay.KindRateLimited {
			t.Fatal(err)
		}
	}
	if taken != maxCallerStreams {
		t.Errorf("one key has %d", taken)
	}
	for range 100 {
		if _, err := s.take(who(mine, relay.NewID())); err == nil {
			taken++
		}
	}
	if taken != maxProjectStreams {
		t.Errorf("one project has %d", taken)
	}
	if _, err := s.take(who(relay.NewID(), relay.NewID())); err != nil {
		t.Errorf("another project: %v", err)
	}
	leaves[0]()
	leaves[0]()
	if _, err := s.take(who(mine, greedy)); err != nil {
		t.Errorf("after one left: %v", err)
	}
	if _, err := s.take(who(mine, relay.NewID())); err == nil {
		t.Error("leaving twice counts twice")
	}
}

// TestOneWatchFeedsAllStreams follows a job many times: it is looked at once for
// all, and not any more when nobody follows.
func TestOneWatchFeedsAllStreams(t *testing.T) {
	t.Parallel()
	var looks atomic.Int64
	job := relay.ReplayJob{ID: relay.NewID(), ProjectID: relay.NewID(), Status: relay.ReplayRunning}
	w := newWatches(func(context.Context, relay.ID, relay.ID) (relay.ReplayJob, error) {
		looks.Add(1)
		return job, nil
	})
	w.every = time.Millisecond
	var all sync.WaitGroup
	var told atomic.Int64
	for range 40 {
		all.Go(func() {
			next, leave := w.follow(job)
			defer leave()
			for range 5 {
				if got, err := next(t.Context(), nil); err != nil || got.ID != job.ID {
					t.Errorf("%v %v", got.ID, err)
				}
				told.Add(1)
			}
		})
	}
	all.Wait()
	if n := looks.Load(); n > told.Load()/4 {
		t.Errorf("%d looks for %d states that were told", n, told.Load())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.byJob) != 0 {
		t.Errorf("%d jobs are still looked at", len(w.byJob))
	}
}

// TestStreamsOfARevokedKeyEnd revokes a key while a job is followed with it.
func TestStreamsOfARevokedKeyEnd(t *testing.T) {
	t.Parallel()
	w := setup(t)
	base, ids := w.serve(), w.ownIDs()
	resp := w.open(base + "/v1/replays/" + ids["replay"] + "/stream")
	if resp.StatusCode != 200 {
		t.Fatal(resp.StatusCode)
	}
	for _, key := range w.api("GET", "/v1/api-keys", nil).rows(t) {
		if key["scope"] == "read" {
			w.api("DELETE", "/v1/api-keys/"+key["id"].(string), nil)
		}
	}
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Error(err)
	}
}

// TestStreamsOfAnEndedSessionEnd ends the session of a person who follows a job,
// in each way that there is.
func TestStreamsOfAnEndedSessionEnd(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.personLook = time.Millisecond
	base, ids := w.serve(), w.ownIDs()
	user := w.mine.user
	for name, end := range map[string]func(cookie string){
		"logged out": func(cookie string) { w.call("DELETE", "/api/v1/session", nil, "Cookie", cookie) },
		"new password": func(string) {
			w.must(w.store.SetPassword(t.Context(), user.ID, "other", relay.Actor{Kind: relay.ActorSystem}))
		},
	} {
		cookie := w.logIn(user.Email)
		resp := w.openAs(base+"/v1/replays/"+ids["replay"]+"/stream", "Cookie", cookie)
		if resp.StatusCode != 200 {
			t.Fatal(name, resp.StatusCode)
		}
		end(cookie)
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Error(name, err)
		}
		w.must(w.store.SetPassword(t.Context(), user.ID, user.PasswordHash, relay.Actor{Kind: relay.ActorSystem}))
	}
}
