package db

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// switched is a way to a server that can be switched off and on.
type switched struct {
	url, address, target string
	// rewrite changes what clients send, keeping its length; nil: nothing.
	rewrite func([]byte) []byte

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

func newSwitch(t *testing.T, server string, rewrite ...func([]byte) []byte) *switched {
	t.Helper()
	u, err := url.Parse(server)
	check(t, err)
	s := &switched{target: u.Host, address: "127.0.0.1:0"}
	if len(rewrite) > 0 {
		s.rewrite = rewrite[0]
	}
	s.on(t)
	u.Host = s.address
	s.url = u.String()
	t.Cleanup(s.off)
	return s
}

func (s *switched) on(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", s.address)
	check(t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.address = listener, listener.Addr().String()
	go s.accept(listener)
}

func (s *switched) accept(listener net.Listener) {
	for {
		in, err := listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", s.target)
		if err != nil {
			_ = in.Close()
			continue
		}
		s.mu.Lock()
		s.conns = append(s.conns, in, out)
		s.mu.Unlock()
		for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
			go func() {
				if s.rewrite != nil && pair[1] == in {
					first := make([]byte, 4096)
					n, _ := in.Read(first)
					_, _ = out.Write(s.rewrite(first[:n]))
				}
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
			}()
		}
	}
}

func (s *switched) off() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.listener.Close()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
}
