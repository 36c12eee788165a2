//go:build unix

package jobs

import "syscall"

// peerClosed looks at what a connection would read next without taking it.
// Control rather than Read of the RawConn: the transport is always reading.
func peerClosed(raw syscall.RawConn) (closed bool) {
	var b [1]byte
	err := raw.Control(func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		closed = n == 0 && err == nil || err == syscall.ECONNRESET
	})
	return closed || err != nil
}
