package handlers

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
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
	req, err := http.NewRequestWithContext(w.t.(*testing.T).Context(), http.MethodGet, url, nil)
	w.must(err)
	req.Header.Set("X-API-Key", w.mine.read)
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
	if n := w.streams.Load(); n != 1 {
		t.Errorf("%d streams", n)
	}
	w.streams.Store(maxStreams)
	if resp := w.open(base + "/v1/test-events"); resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("too many: %d %v", resp.StatusCode, resp.Header)
	}
	w.streams.Store(1)
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
