package handlers

import (
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// failing is a listener that has no file handle left for some time.
type failing struct {
	net.Listener
	left atomic.Int32
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return f.Listener.Accept()
}

// TestAcceptingGoesOn: the server outlives that connections cannot be accepted, and
// ends when its listener is closed.
func TestAcceptingGoesOn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	served := make(chan error, 1)
	f := &failing{Listener: ln}
	f.left.Store(5)
	go func() { served <- w.Listener(f) }()
	client := &http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get("http://" + ln.Addr().String() + "/healthz")
	w.must(err)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("it answers %d", resp.StatusCode)
	}
	client.CloseIdleConnections()
	w.must(w.Shutdown())
	w.must(<-served)
}
