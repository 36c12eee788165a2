package handlers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

// manyIDs is a list of n ids as programs write it.
func manyIDs(prefix relay.Prefix, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`"`+prefix.Format(relay.NewID())+`", `, n), ", ") + "]"
}

// TestBodiesOverTheirLimit sends them over real connections: the answer is 413,
// whatever the body holds, and reaches clients that read only after they have
// written all. Nothing behind the body is taken for a request.
func TestBodiesOverTheirLimit(t *testing.T) {
	t.Parallel()
	w := setup(t)
	addr := w.listen()
	w.source(object{"slug": "s"})
	events := manyIDs(relay.PrefixEvent, 200_000)
	for _, c := range []struct{ path, body string }{
		{"/api/v1/replays", `{"event_ids": ` + events + `}`},
		{"/v1/replays", strings.Repeat("[", 20<<20)},
		{"/v1/replays", strings.Repeat(" ", 5<<20+1)},
		{"/v1/events", strings.Repeat(" ", 5<<20+1)},
		{"/api/v1/session", strings.Repeat(" ", pageBody+1)},
		{"/login", strings.Repeat("a", pageBody+1)},
		{"/api-keys", strings.Repeat("a", 20<<20)},
		{"/nowhere", strings.Repeat("a", pageBody+1)},
		{"/in/s", strings.Repeat("a", 5<<20+1)},
		{"/in/nobody", strings.Repeat("a", 20<<20)},
	} {
		for _, headers := range []string{"", "Expect: 100-continue\r\n", "Connection: keep-alive\r\n", "chunked"} {
			length := fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", headers, len(c.body), c.body)
			if headers == "chunked" {
				length = fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(c.body), c.body)
			}
			conn := dial(t, addr)
			conn.send("POST " + c.path + " HTTP/1.1\r\nHost: reprise.test\r\nX-API-Key: " + w.mine.write + "\r\n" + length +
				"GET /healthz HTTP/1.1\r\nHost: reprise.test\r\n\r\n")
			got, err := conn.read()
			if err != nil || got.StatusCode != 413 {
				t.Errorf("%s %q: %v %v", c.path, headers, err, got)
				continue
			}
			if !got.Close || !conn.closed() {
				t.Errorf("%s %q: the connection goes on", c.path, headers)
			}
		}
	}
	if n := w.count(); n != 0 {
		t.Errorf("%d events are kept", n)
	}
}

// TestBodiesUpToTheirLimit reads them whole, of known length and chunked.
func TestBodiesUpToTheirLimit(t *testing.T) {
	t.Parallel()
	w := setup(t)
	addr := w.listen()
	w.source(object{"slug": "s"})
	conn := dial(t, addr)
	for i, size := range []int{0, 1, 8 << 10, 8<<10 + 1, bodyStep, bodyStep + 1, 100_000, 5 << 20} {
		body := strings.Repeat("x", size)
		for _, framing := range []string{
			fmt.Sprintf("Content-Length: %d\r\n\r\n%s", size, body),
			"Transfer-Encoding: chunked\r\n\r\n" + chunks(body, 7000) + "0\r\n\r\n",
		} {
			conn.send("POST /in/s HTTP/1.1\r\nHost: reprise.test\r\n" + framing)
			got, err := conn.read()
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			id := got.json(t, 202)["event_id"].(string)
			if back := w.api("GET", "/api/v1/events/"+id+"/raw", nil); back.text != body {
				t.Errorf("case %d: %d bytes came back of %d", i, len(back.text), size)
			}
		}
	}
}

func chunks(body string, size int) string {
	var b strings.Builder
	for part := range slices.Chunk([]byte(body), size) {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(part), part)
	}
	return b.String()
}

// TestBytesInFlightAreBounded takes all that requests may hold: what comes then
// is told to come again, and everything is given back.
func TestBytesInFlightAreBounded(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.source(object{"slug": "s"})
	all := int64(leastBudget)
	if !w.bodies.budget.TryAcquire(all - 10) {
		t.Fatal("something is held already")
	}
	for _, path := range []string{"/in/s", "/api/v1/replays", "/v1/session", "/login"} {
		got := w.call("POST", path, "more than ten bytes")
		if got.StatusCode != 503 || got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v", path, got.StatusCode, got.Header)
		}
	}
	w.call("POST", "/in/s", "ten bytes").json(t, 202)
	w.bodies.budget.Release(all - 10)
	w.call("POST", "/in/s", strings.Repeat("x", 5<<20)).json(t, 202)
	w.call("POST", "/in/s", strings.Repeat("x", 5<<20+1)).problem(t, 413, relay.KindTooLarge)
	if !w.bodies.budget.TryAcquire(all) {
		t.Error("something is still held")
	}
}
