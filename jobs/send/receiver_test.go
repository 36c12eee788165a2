package send

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// arrival is a request exactly as it arrived.
type arrival struct {
	Line    string
	Headers relay.Headers
	Body    []byte
}

func (a arrival) get(name string) string { return strings.Join(a.values(name), "|") }

func (a arrival) values(name string) []string {
	var values []string
	for _, h := range a.Headers {
		if strings.EqualFold(h.Name, name) {
			values = append(values, h.Value)
		}
	}
	return values
}

// receiver is a raw TCP server that records what arrives and answers as its
// script says.
type receiver struct {
	URL  string
	addr netip.AddrPort

	mu       sync.Mutex
	arrivals []arrival
	conns    int
}

// newReceiver runs answer for each request that arrived in full. The
// connection stays open if answer says so.
func newReceiver(t testing.TB, answer func(net.Conn, arrival) (keep bool)) *receiver {
	t.Helper()
	r, _ := newReceiverOn(t, "127.0.0.1:0", answer)
	return r
}

func newReceiverOn(t testing.TB, on string, answer func(net.Conn, arrival) (keep bool)) (*receiver, net.Listener) {
	t.Helper()
	l, err := net.Listen("tcp", on)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{URL: "http://" + l.Addr().String() + "/hook", addr: netip.MustParseAddrPort(l.Addr().String())}
	var wait sync.WaitGroup
	var open sync.Map
	wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.conns++
			r.mu.Unlock()
			open.Store(conn, true)
			wait.Go(func() {
				defer conn.Close()
				br := bufio.NewReader(conn)
				for {
					a, err := readArrival(br)
					if err != nil {
						return
					}
					r.mu.Lock()
					r.arrivals = append(r.arrivals, a)
					r.mu.Unlock()
					if !answer(conn, a) {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		open.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
		wait.Wait()
	})
	return r, l
}

func (r *receiver) got() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]arrival(nil), r.arrivals...)
}

// one is the only request that arrived.
func (r *receiver) one(t *testing.T) arrival {
	t.Helper()
	got := r.got()
	if len(got) != 1 {
		t.Fatalf("%d requests arrived, want 1", len(got))
	}
	return got[0]
}

func readArrival(br *bufio.Reader) (arrival, error) {
	var a arrival
	line, err := br.ReadString('\n')
	if err != nil {
		return a, err
	}
	a.Line = strings.TrimSpace(line)
	length := 0
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return a, err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ": ")
		a.Headers = append(a.Headers, relay.Header{Name: name, Value: value})
		if strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(value); err != nil {
				return a, err
			}
		}
	}
	a.Body = make([]byte, length)
	_, err = io.ReadFull(br, a.Body)
	return a, err
}

// answering makes an answer with a length and keeps the connection.
func answering(status int, body string, headers ...string) func(net.Conn, arrival) bool {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\n", status, len(body))
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	return saying(b.String()+"\r\n"+body, true)
}

func saying(raw string, keep bool) func(net.Conn, arrival) bool {
	return func(c net.Conn, _ arrival) bool {
		_, err := io.WriteString(c, raw)
		return keep && err == nil
	}
}

// reset ends a connection with RST.
func reset(c net.Conn) bool {
	_ = c.(*net.TCPConn).SetLinger(0)
	return false
}

// eventually polls until ok, for at most five seconds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	timeout := time.After(5 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-timeout:
			t.Fatalf("not within 5 s: %s", what)
		case <-tick.C:
		}
	}
}

var nullLog = log.New(io.Discard, "", 0)

var loopback = relay.EgressPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}

const (
	secretA = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	secretB = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="
)

func newTestSender(t testing.TB, change ...func(*Options)) *Sender {
	opts := Options{Egress: loopback, UserAgent: "Reprise/test"}
	for _, f := range change {
		f(&opts)
	}
	s := New(opts)
	t.Cleanup(s.Close)
	return s
}

func requestTo(url string, change ...func(*Request)) Request {
	r := Request{
		DeliveryID: "wdl_0198c6f0-0000-7000-8000-000000000001", EventID: "evt_0198c6f0-0000-7000-8000-000000000002",
		EventType: "invoice.paid", AttemptNumber: 1, ReceivedAt: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
		ContentType: "application/json", Body: []byte(`{"a":1}`),
		Endpoint: &relay.Endpoint{URL: url, HTTPTimeout: 5 * time.Second, Secrets: []relay.Secret{{Value: secretA}}},
	}
	for _, f := range change {
		f(&r)
	}
	return r
}
