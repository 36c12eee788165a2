package jobs

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

const (
	idleTimeout = 20 * time.Second // of kept-alive connections
	outletIdle  = 2 * time.Minute  // after which a project's transport goes
	hastyClose  = time.Second      // after an answer
	distrustFor = 10 * time.Minute
	maxHasty    = 1000
)

// outlet is what one project sends through.
type outlet struct {
	transport *http.Transport
	used      time.Time

	mu    sync.Mutex
	hasty map[string]time.Time // addresses of which no connection is kept, until when
}

// distrust is for receivers that answer and close without saying so, which are
// common. The next request on the same connection would be lost, and a POST is
// not sent again unasked. It wears off, for a good receiver that restarts looks
// the same.
func (o *outlet) distrust(addr string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.hasty) >= maxHasty {
		clear(o.hasty)
	}
	o.hasty[addr] = time.Now().Add(distrustFor)
}

func (o *outlet) distrusts(addr string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	until, known := o.hasty[addr]
	return known && time.Now().Before(until)
}

// watchedConn notices a close that comes right after an answer.
type watchedConn struct {
	net.Conn
	hasty    func()
	answered atomic.Int64 // when the last bytes came, unless some were written since
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.answered.Store(time.Now().UnixMilli())
	} else if at := c.answered.Load(); errors.Is(err, io.EOF) && at > 0 && time.Now().UnixMilli()-at < hastyClose.Milliseconds() {
		c.hasty()
	}
	return n, err
}

func (c *watchedConn) Write(p []byte) (int, error) {
	c.answered.Store(0)
	return c.Conn.Write(p)
}

// outlet finds or makes the outlet of a project, and drops those that have not
// been used for a while.
func (s *Sender) outlet(project relay.ID) *outlet {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.outlets[project]
	if o == nil {
		o = s.newOutlet()
		s.outlets[project] = o
	}
	o.used = now
	if now.Sub(s.swept) > outletIdle {
		s.swept = now
		for id, old := range s.outlets {
			if now.Sub(old.used) > outletIdle {
				old.transport.CloseIdleConnections()
				delete(s.outlets, id)
			}
		}
	}
	return o
}

func (s *Sender) newOutlet() *outlet {
	o := &outlet{hasty: make(map[string]time.Time)}
	o.transport = &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := s.dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &watchedConn{Conn: conn, hasty: func() { o.distrust(addr) }}, nil
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.opts.RootCAs},
		TLSHandshakeTimeout:    handshakeTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
		DisableCompression:     true,
		MaxIdleConns:           128,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: 64 << 10,
	}
	return o
}

// addrOf is the address that a URL makes the transport dial.
func addrOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Host
	case u.Scheme == "https":
		return u.Host + ":443"
	}
	return u.Host + ":80"
}
