package jobs

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

const (
	idleTimeout = 20 * time.Second // of kept-alive connections
	outletIdle  = 2 * time.Minute  // after which a project's transport goes
)

// outlet is what one project sends through.
type outlet struct {
	transport *http.Transport
	used      time.Time
}

// transport finds or makes the transport of a project, and drops those that have
// not been used for a while.
func (s *Sender) transport(project relay.ID) *http.Transport {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.outlets[project]
	if o == nil {
		o = &outlet{transport: s.newTransport()}
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
	return o.transport
}

func (s *Sender) newTransport() *http.Transport {
	return &http.Transport{
		DialContext:            s.dial,
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
}
