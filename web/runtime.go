package main

import (
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// ballastBytes of memory that nothing ever touches, which thus costs none, let
// the heap grow by as much again before the garbage collector walks it. What
// is in use is a few megabytes: without them it would walk ten times a second,
// and who delivers waits each time.
const ballastBytes = 48 << 20

// tuneRuntime makes Go's scheduler and collector fit the work, until the
// function that it answers is called.
//
// Go leaves a core to a goroutine for up to 10 ms, and SQLite's writer holds
// its place even while it waits for the disk: on few cores whoever receives a
// webhook waits for that. With one place more than there are cores the
// operating system shares them out, in smaller parts. Whoever sets GOMAXPROCS
// gets what was asked for.
func tuneRuntime(cfg Config) (release func()) {
	if os.Getenv("GOMAXPROCS") == "" && onSQLite(cfg) {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	ballast := make([]byte, ballastBytes)
	return func() { runtime.KeepAlive(ballast) }
}

// mostConnections is how many connections are served at a time: they have half of the
// files that the process may open. The rest is for the database, Redis and endpoints:
// whoever opens connections and says nothing stops no delivery.
func mostConnections() int {
	const most = 4096
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return most
	}
	return int(max(1, min(most, files.Cur/2)))
}

func onSQLite(cfg Config) bool { return strings.HasPrefix(cfg.DatabaseURL, "sqlite:") }
