package handlers

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"time"
)

// lingering is a listener that outlives failures, and whose connections can be told to
// close slowly.
//
// fasthttp ends its server when a connection cannot be accepted. The usual cause is that
// the process or the machine has no file handle left, which passes.
//
// A server that answers 413 and closes while the client is still writing makes
// the client's kernel drop the answer (RFC 9112, 9.6). So such a connection is
// closed for writing first, and for good once the client has stopped.
type lingering struct {
	net.Listener
	log  *slog.Logger
	told time.Time // when a failure was last logged
}

const (
	acceptWait  = 5 * time.Millisecond // after a failure; twice as long after the next
	acceptRest  = time.Second          // at most
	acceptTell  = 10 * time.Second     // between two lines of the log
	lingerTime  = 5 * time.Second
	lingerBytes = 64 << 20
)

func (l *lingering) Accept() (net.Conn, error) {
	conn, err := l.accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		return &lingeringConn{TCPConn: tcp}, nil
	}
	return conn, err
}

// accept waits for a connection, whatever fails, until the listener is closed.
func (l *lingering) accept() (net.Conn, error) {
	for wait := acceptWait; ; wait = min(2*wait, acceptRest) {
		conn, err := l.Listener.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return conn, err
		}
		if time.Since(l.told) > acceptTell {
			l.told = time.Now()
			l.log.Warn("connections cannot be accepted", "error", err)
		}
		<-time.After(wait)
	}
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
