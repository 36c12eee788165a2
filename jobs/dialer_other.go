//go:build !unix

package jobs

import "syscall"

func peerClosed(syscall.RawConn) bool { return false }
