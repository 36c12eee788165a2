package jobs

import (
	"context"
	"time"
)

// heartbeat says that this process lives, every two seconds, on a connection of
// its own. Whether it could is in beat.
func (e *Engine) heartbeat(ctx context.Context) {
	every(ctx, beatEvery, func() {
		if err := e.Store.Beat(ctx, e.owner, e.Host, "worker"); err == nil {
			e.beat.Store(int64(time.Since(e.started)))
		} else if ctx.Err() == nil {
			e.Log.Warn("saying that this process lives", "error", err)
		}
	})
}

const (
	beatEvery = 2 * time.Second
	// silentAfter is how old the last beat of a process may be before it looks
	// at a claim again that it is about to begin: others may have taken it over.
	silentAfter = 10 * time.Second
)

// silent reports whether others may take this process for dead.
func (e *Engine) silent() bool {
	return !e.Alone && time.Since(e.started)-time.Duration(e.beat.Load()) > silentAfter
}

// every does something now and then, until ctx ends.
func every(ctx context.Context, period time.Duration, do func()) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
