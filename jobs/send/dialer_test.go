package send

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// dnsAnswer is what the test's name server says to every question for an IPv4
// address.
type dnsAnswer struct {
	ip    [4]byte
	rcode byte
	never bool
}

// resolverSaying is a resolver of which the name server sits in this process.
func resolverSaying(t *testing.T, answer dnsAnswer) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			var size [2]byte
			for {
				if _, err := io.ReadFull(server, size[:]); err != nil {
					return
				}
				query := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(server, query); err != nil {
					return
				}
				if answer.never {
					continue
				}
				reply := answer.to(query)
				if _, err := server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
					return
				}
			}
		}()
		t.Cleanup(func() { server.Close() })
		return client, nil
	}}
}

func (a dnsAnswer) to(query []byte) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the root label, type and class
	isA := query[end-3] == 1
	reply := append([]byte{query[0], query[1], 0x81, 0x80 | a.rcode, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	if a.rcode == 0 && isA {
		reply[7] = 1
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		reply = append(reply, a.ip[:]...)
	}
	return reply
}

func TestBlockedAddresses(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answering(200, ""))
	port := strings.TrimPrefix(strings.TrimSuffix(r.URL, "/hook"), "http://127.0.0.1")
	s := newTestSender(t, func(o *Options) { o.Egress = relay.EgressPolicy{} })
	// What a name resolves to counts, whatever the name looks like.
	rebound := newTestSender(t, func(o *Options) { o.Egress = relay.EgressPolicy{} })
	rebound.dial = guardedDial(relay.EgressPolicy{}, nil, resolverSaying(t, dnsAnswer{ip: [4]byte{127, 0, 0, 1}}))
	cases := map[string]struct {
		sender *Sender
		url    string
	}{
		"loopback":     {s, "http://127.0.0.1" + port},
		"short form":   {s, "http://127.1" + port},
		"one number":   {s, "http://2130706433" + port},
		"octal":        {s, "http://0177.0.0.1" + port},
		"localhost":    {s, "http://localhost" + port},
		"sublocalhost": {s, "http://foo.localhost" + port},
		"dot":          {s, "http://LOCALHOST." + port},
		"IPv6":         {s, "http://[::1]" + port},
		"mapped":       {s, "http://[::ffff:127.0.0.1]" + port},
		"NAT64":        {s, "http://[64:ff9b::7f00:1]" + port},
		"any":          {s, "http://0.0.0.0" + port},
		"private":      {s, "http://10.0.0.1"},
		"metadata":     {s, "http://169.254.169.254/latest/meta-data"},
		"circled":      {s, "http://①②⑦.⓪.⓪.①" + port},
		"userinfo":     {s, "http://example.com@127.0.0.1" + port},
		"scheme":       {s, "gopher://127.0.0.1" + port},
		"service port": {s, "http://hooks.example.com:6379"},
		"rebinding":    {rebound, "http://hooks.example.com" + port},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			res := c.sender.Send(t.Context(), requestTo(c.url))
			if res.Outcome != relay.OutcomeBlocked || res.Err != sentenceBlocked || res.Status != 0 {
				t.Errorf("%s: %s %q, want the uniform answer", c.url, res.Outcome, res.Err)
			}
		})
	}
	if r.conns != 0 {
		t.Errorf("%d connections were made to a blocked address", r.conns)
	}
}

func TestAllowedNameIsReached(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answering(200, ""))
	s := newTestSender(t)
	s.dial = guardedDial(loopback, nil, resolverSaying(t, dnsAnswer{ip: [4]byte{127, 0, 0, 1}}))
	url := strings.Replace(r.URL, "127.0.0.1", "hooks.example.com", 1)
	if res := s.Send(t.Context(), requestTo(url)); res.Outcome != relay.OutcomeSuccess {
		t.Fatal(res.Err)
	}
	if host := r.one(t).get("Host"); !strings.HasPrefix(host, "hooks.example.com:") {
		t.Errorf("Host: %s", host)
	}
}

func TestOwnListenerIsNotDeliveredTo(t *testing.T) {
	t.Parallel()
	for _, on := range []string{"127.0.0.1", "0.0.0.0", "::"} {
		r := newReceiver(t, answering(200, ""))
		self := netip.AddrPortFrom(netip.MustParseAddr(on), r.addr.Port())
		s := newTestSender(t, func(o *Options) { o.SelfAddrs = []netip.AddrPort{self} })
		res := s.Send(t.Context(), requestTo(r.URL))
		if res.Outcome != relay.OutcomeBlocked || !strings.Contains(res.Err, "gateway itself") {
			t.Errorf("listening on %s: %s %q", on, res.Outcome, res.Err)
		}
		if r.conns != 0 {
			t.Errorf("listening on %s: a connection was made", on)
		}
	}
}

func TestDNSFailures(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		answer dnsAnswer
		want   string
	}{
		"no such name":   {dnsAnswer{rcode: 3}, "does not exist"},
		"server failure": {dnsAnswer{rcode: 2}, "could not tell"},
		"no answer":      {dnsAnswer{never: true}, "in time"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSender(t)
			s.dial = guardedDial(loopback, nil, resolverSaying(t, c.answer))
			res := s.Send(t.Context(), requestTo("http://hooks.example.com/", func(r *Request) { r.Endpoint.HTTPTimeout = 15 * time.Second }))
			if res.Outcome != relay.OutcomeDNS || !strings.Contains(res.Err, c.want) || !strings.Contains(res.Err, "hooks.example.com") {
				t.Errorf("%s %q", res.Outcome, res.Err)
			}
			if res.Duration > dialTimeout+time.Second {
				t.Errorf("took %s", res.Duration)
			}
		})
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answering(200, "fine"))
	s := newTestSender(t)
	for range 20 {
		if res := s.Send(t.Context(), requestTo(r.URL)); res.Outcome != relay.OutcomeSuccess {
			t.Fatal(res.Err)
		}
	}
	if r.conns != 1 {
		t.Errorf("%d connections for 20 requests in a row", r.conns)
	}
}

func TestProjectsShareNoConnection(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answering(200, ""))
	s := newTestSender(t)
	for range 2 {
		for _, project := range []relay.ID{{1}, {2}} {
			s.Send(t.Context(), requestTo(r.URL, func(r *Request) { r.ProjectID = project }))
		}
	}
	if r.conns != 2 {
		t.Errorf("%d connections for two projects", r.conns)
	}
}

func TestIdleProjectsAreForgotten(t *testing.T) {
	t.Parallel()
	s := newTestSender(t)
	s.transport(relay.ID{1})
	s.transports[relay.ID{1}].used = time.Now().Add(-2 * transportIdle)
	s.swept = time.Time{}
	s.transport(relay.ID{2})
	if len(s.transports) != 1 || s.transports[relay.ID{2}] == nil {
		t.Errorf("%d transports are kept", len(s.transports))
	}
}

// A receiver that answers and closes without "Connection: close" costs an
// attempt or two, until it is known, and never gets a request twice.
func TestReceiverThatClosesAfterItsAnswer(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(c net.Conn, a arrival) bool {
		answering(200, "ok")(c, a)
		return false
	})
	s := newTestSender(t)
	var good atomic.Int64
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for range 50 {
				if s.Send(t.Context(), requestTo(r.URL)).Outcome == relay.OutcomeSuccess {
					good.Add(1)
				}
			}
		})
	}
	wait.Wait()
	if good.Load() < 750 {
		t.Errorf("%d of 800 requests succeeded", good.Load())
	}
	if n := len(r.got()); n != int(good.Load()) {
		t.Errorf("%d requests arrived, %d succeeded", n, good.Load())
	}
	if a := r.got()[700]; a.get("Connection") != "close" {
		t.Errorf("the receiver is not told: Connection: %q", a.get("Connection"))
	}
}

func TestFreshConnectionsWearOffAndAreBounded(t *testing.T) {
	t.Parallel()
	o := newTestSender(t).newTransport()
	for i := range 2 * maxFresh {
		o.useFresh(strconv.Itoa(i))
	}
	last := strconv.Itoa(2*maxFresh - 1)
	if len(o.fresh) > maxFresh || !o.wantsFresh(last) {
		t.Errorf("%d addresses, the last one: %v", len(o.fresh), o.wantsFresh(last))
	}
	o.fresh[last] = time.Now()
	if o.wantsFresh(last) {
		t.Error("it does not wear off")
	}
}

// A receiver that says that it closes is trusted with the next connection.
func TestAnnouncedCloseIsWell(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, saying("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false))
	s := newTestSender(t)
	for range 20 {
		if res := s.Send(t.Context(), requestTo(r.URL)); res.Outcome != relay.OutcomeSuccess {
			t.Fatal(res.Err)
		}
	}
	if s.transport(relay.ID{}).wantsFresh(r.addr.String()) {
		t.Error("it gets fresh connections")
	}
}

func TestCloseIsNoticedAtTheFirstAnswer(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(c net.Conn, a arrival) bool {
		answering(200, "ok")(c, a)
		return false
	})
	s := newTestSender(t)
	if res := s.Send(t.Context(), requestTo(r.URL)); res.Outcome != relay.OutcomeSuccess {
		t.Fatal(res.Err)
	}
	eventually(t, "the receiver gets fresh connections", func() bool { return s.transport(relay.ID{}).wantsFresh(r.addr.String()) })
}
