package send

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
	idleTimeout   = 20 * time.Second // of kept-alive connections
	transportIdle = 2 * time.Minute  // after which a project's transport goes
	closeSoon     = time.Second      // after an answer
	freshFor      = 10 * time.Minute
	maxFresh      = 1000
)

// transport is what one project sends through.
type transport struct {
	*http.Transport
	used time.Time

	mu    sync.Mutex
	fresh map[string]time.Time // addresses that get a new connection for each request, until when
}

// useFresh is for receivers that answer and close without saying so, which are
// common. The next request on the same connection would be lost, and a POST is
// not sent again unasked. It wears off, for a good receiver that restarts looks
// the same.
func (t *transport) useFresh(addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.fresh) >= maxFresh {
		clear(t.fresh)
	}
	t.fresh[addr] = time.Now().Add(freshFor)
}

func (t *transport) wantsFresh(addr string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	until, known := t.fresh[addr]
	return known && time.Now().Before(until)
}

// watchedConn notices a close that comes right after an answer.
type watchedConn struct {
	net.Conn
	closedSoon func()
	answered   atomic.Int64 // when the last bytes came, unless some were written since
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.answered.Store(time.Now().UnixMilli())
	} else if at := c.answered.Load(); errors.Is(err, io.EOF) && at > 0 && time.Now().UnixMilli()-at < closeSoon.Milliseconds() {
		c.closedSoon()
	}
	return n, err
}

func (c *watchedConn) Write(p []byte) (int, error) {
	c.answered.Store(0)
	return c.Conn.Write(p)
}

// transport finds or makes the transport of a project, and drops those that have
// not been used for a while.
func (s *Sender) transport(project relay.ID) *transport {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.transports[project]
	if t == nil {
		t = s.newTransport()
		s.transports[project] = t
	}
	t.used = now
	if now.Sub(s.swept) > transportIdle {
		s.swept = now
		for id, old := range s.transports {
			if now.Sub(old.used) > transportIdle {
				old.CloseIdleConnections()
				delete(s.transports, id)
			}
		}
	}
	return t
}

func (s *Sender) newTransport() *transport {
	t := &transport{fresh: make(map[string]time.Time)}
	t.Transport = &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := s.dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &watchedConn{Conn: conn, closedSoon: func() { t.useFresh(addr) }}, nil
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
	return t
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
