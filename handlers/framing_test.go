package handlers

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// rawConn speaks to the app over a real connection, byte for byte.
type rawConn struct {
	t testing.TB
	net.Conn
	in *bufio.Reader
}

// listen serves the app on loopback.
func (w *world) listen() string {
	w.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	go func() { _ = w.Listener(ln) }()
	w.t.Cleanup(func() { _ = w.Shutdown() })
	return ln.Addr().String()
}

func (w *world) dial() *rawConn {
	w.t.Helper()
	return dial(w.t, w.listen())
}

func dial(t testing.TB, addr string) *rawConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &rawConn{t, conn, bufio.NewReader(conn)}
}

func (c *rawConn) send(text string) {
	// The server may have answered and closed before it read all.
	_, _ = io.WriteString(c.Conn, text)
}

// read takes the next answer off the connection.
func (c *rawConn) read() (answer, error) {
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(resp.Body)
	return answer{resp, string(body)}, err
}

func (c *rawConn) exchange(text string) answer {
	c.t.Helper()
	c.send(text)
	got, err := c.read()
	if err != nil {
		c.t.Fatalf("%.100q: %v", text, err)
	}
	return got
}

// closed reports whether the server ends the connection without another
// answer.
func (c *rawConn) closed() bool {
	_, err := c.in.ReadByte()
	return err != nil
}

func TestFraming(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.source(object{"slug": "s"})
	addr := w.listen()
	const smuggled = "POST /in/s HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nsmuggled"
	line := func(extra string) string { return "POST /in/s HTTP/1.1\r\nHost: x\r\n" + extra + "\r\n" }
	for _, c := range []struct {
		name, text string
		status     []int
	}{
		{"A01 two Content-Lengths", line("Content-Length: 3\r\nContent-Length: 4\r\n") + "abcd" + smuggled, []int{400}},
		{"A01 the same twice", line("Content-Length: 3\r\nContent-Length: 3\r\n") + "abc" + smuggled, []int{400}},
		{"A02 length and chunked", line("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + smuggled, []int{400}},
		{"A02 chunked and length", line("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n") + "0\r\n\r\n" + smuggled, []int{400}},
		{"A03 xchunked", line("Transfer-Encoding: xchunked\r\n") + "0\r\n\r\n" + smuggled, []int{400}},
		{"A03 gzip, chunked", line("Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n" + smuggled, []int{400}},
		{"A03 two encodings", line("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n") + "0\r\n\r\n" + smuggled, []int{400}},
		{"A03 space before the colon", line("Transfer-Encoding : chunked\r\n") + "0\r\n\r\n" + smuggled, []int{400}},
		{"A03 identity with length", line("Transfer-Encoding: identity\r\nContent-Length: 3\r\n") + "abc" + smuggled, []int{400}},
		{"A05 no Host", "POST /in/s HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", []int{400}},
		{"A05 two Hosts", "POST /in/s HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 1\r\n\r\nx", []int{400}},
		{"A05 empty Host", "POST /in/s HTTP/1.1\r\nHost:\r\nContent-Length: 1\r\n\r\nx", []int{400}},
		{"A09 NUL", line("X-A: a\x00b\r\n"), []int{400}},
		{"A09 bare CR", line("X-A: a\rb\r\n"), []int{400}},
		{"A09 bare LF", line("X-A: a\nX-B: b\r\n"), []int{400}},
		{"A09 folded", line("X-A: a\r\n b\r\n"), []int{400}},
		{"A12 40 kB of headers", line("X-A: " + strings.Repeat("a", 60<<10) + "\r\n"), []int{431}},
		{"A13 a long path", "GET /" + strings.Repeat("a", 60<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", []int{400, 414, 431}},
		{"A19 TRACE", "TRACE /in/s HTTP/1.1\r\nHost: x\r\nX-Canary: 1\r\n\r\n", []int{405}},
		{"A19 CONNECT", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", []int{400, 405}},
		{"A19 FOO", "FOO /in/s HTTP/1.1\r\nHost: x\r\n\r\n", []int{501}},
		{"A19 lower case", "post /in/s HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", []int{400, 501}},
		{"A20 TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03canary\r\n\r\n", []int{400}},
		{"A20 HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []int{400, 501}},
		{"A23 HTTP/1.0 without Host", "POST /in/s HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", []int{400}},
		{"a negative length", line("Content-Length: -1\r\n"), []int{400}},
		{"a huge length", line("Content-Length: 99999999999999999999\r\n"), []int{400}},
		{"A14 one byte too many", line(fmt.Sprintf("Content-Length: %d\r\n", 5<<20+1)) + strings.Repeat("x", 5<<20+1), []int{413}},
		{"A14 far too many", line(fmt.Sprintf("Content-Length: %d\r\n", 20<<20)) + strings.Repeat("x", 20<<20), []int{413}},
		{"A14 chunked", line("Transfer-Encoding: chunked\r\n") + "600000\r\n" + strings.Repeat("x", 6<<20) + "\r\n0\r\n\r\n", []int{413}},
	} {
		conn := dial(t, addr)
		go conn.send(c.text)
		got, err := conn.read()
		if err != nil {
			t.Errorf("%s: no answer: %v", c.name, err)
			continue
		}
		ok := false
		for _, status := range c.status {
			ok = ok || got.StatusCode == status
		}
		if !ok || got.Header.Get("X-Request-Id") == "" || strings.Contains(strings.ToLower(got.text), "canary") || strings.Contains(got.text, "Host") {
			t.Errorf("%s: %d %v %s", c.name, got.StatusCode, got.Header, got.text)
		}
		if got.Header.Get("Content-Type") != problemType {
			t.Errorf("%s: answered as %s", c.name, got.Header.Get("Content-Type"))
		}
		if got.StatusCode != 405 && !conn.closed() {
			t.Errorf("%s: the connection goes on", c.name)
		}
	}
	if n := w.count(); n != 0 {
		t.Errorf("%d events were stored: %v", n, w.api("GET", "/api/v1/events", nil).rows(t))
	}
}

func TestOrdinaryFraming(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.source(object{"slug": "s"})
	conn := w.dial()
	many := strings.Repeat("X-N: 1\r\n", 3000)
	for name, text := range map[string]string{
		"chunked":              "POST /in/s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"empty":                "POST /in/s HTTP/1.1\r\nHost: x\r\n\r\n",
		"a header of 5 kB":     "POST /in/s HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 5<<10) + "\r\n\r\n",
		"3,000 headers":        "POST /in/s HTTP/1.1\r\nHost: x\r\n" + many + "\r\n",
		"an absolute target":   "POST http://evil.example/in/s HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		"an upgrade":           "POST /in/s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"forwarding headers":   "POST /in/s HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: evil\r\n\r\n",
		"letters beyond ASCII": "POST /in/s HTTP/1.1\r\nHost: x\r\nX-A: \xff\xfe é\r\n\r\n",
	} {
		if got := conn.exchange(text); got.StatusCode != 202 {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.text)
		}
	}
	for _, row := range w.api("GET", "/api/v1/events", nil).rows(t) {
		if row["status"] != "unmatched" {
			t.Error(row)
		}
	}
	// A21: pipelined requests are answered in order.
	var pipeline strings.Builder
	for range 500 {
		pipeline.WriteString("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	go conn.send(pipeline.String())
	for i := range 1000 {
		got, err := conn.read()
		if err != nil || got.StatusCode != []int{200, 404}[i%2] {
			t.Fatalf("answer %d: %v %d", i, err, got.StatusCode)
		}
	}
}

// A client that sends too slowly is cut off, and nothing of it is kept.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	w := setup(t, func(o *Options) { o.ReadTimeout = 300 * time.Millisecond })
	w.source(object{"slug": "s"})
	addr := w.listen()
	for name, text := range map[string]string{
		"body":    "POST /in/s HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n0123456789",
		"headers": "POST /in/s HTTP/1.1\r\nHost: x\r\nX-A",
	} {
		conn := dial(t, addr)
		conn.send(text)
		if got, err := conn.read(); err == nil && got.StatusCode != 408 {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.text)
		}
		if !conn.closed() {
			t.Errorf("%s: the connection goes on", name)
		}
	}
	if n := w.count(); n != 0 {
		t.Errorf("%d events", n)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.now = func() time.Time { panic("canary") }
	got := w.call("POST", "/api/v1/sources", object{"name": "x"}, "X-API-Key", w.mine.write)
	got.problem(t, 500, "INTERNAL")
	if strings.Contains(got.text, "canary") || strings.Contains(got.text, ".go") {
		t.Error(got.text)
	}
}
