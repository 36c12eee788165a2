package handlers

import (
	"io"
	"net"
	"sync/atomic"
	"time"
)

// lingering is a listener whose connections can be told to close slowly.
//
// A server that answers 413 and closes while the client is still writing makes
// the client's kernel drop the answer (RFC 9112, 9.6). So such a connection is
// closed for writing first, and for good once the client has stopped.
type lingering struct{ net.Listener }

const (
	lingerTime  = 5 * time.Second
	lingerBytes = 64 << 20
)

func (l lingering) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		return &lingeringConn{TCPConn: tcp}, nil
	}
	return conn, err
}

type lingeringConn struct {
	*net.TCPConn
	slow atomic.Bool
}

// linger makes the closing of a connection slow, if it can be.
func linger(conn net.Conn) {
	if c, ok := conn.(*lingeringConn); ok {
		c.slow.Store(true)
	}
}

// Close implements net.Conn.
func (c *lingeringConn) Close() error {
	if !c.slow.CompareAndSwap(true, false) {
		return c.TCPConn.Close()
	}
	if err := c.CloseWrite(); err != nil {
		return c.TCPConn.Close()
	}
	go func() {
		_ = c.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, c.TCPConn, lingerBytes)
		_ = c.TCPConn.Close()
	}()
	return nil
}
