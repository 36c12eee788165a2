package db

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// liveTime is for how long a received event counts as under way after it
	// is committed: about what it takes to send it.
	liveTime = 3 * time.Millisecond
	// courtesyMost is for how long replays give way at most: they go on, a
	// little later, where live events never cease.
	courtesyMost = 20 * time.Millisecond
	courtesyStep = 100 * time.Microsecond
	livelyTime   = time.Second
)

// courtesy lets replays give way to live events. Nothing that can wait begins
// while one is under way, and never two such things at a time: one core at
// least is free for what comes in.
type courtesy struct {
	turn sync.Mutex // held by whoever writes what can wait
	// pauses is whether giving way takes a pause in any case where live events
	// come these days: one that has arrived is not known of before somebody
	// has had a core to read it. It is for writes that use this process's
	// cores all the time.
	pauses bool
	since  time.Time
	live   atomic.Int64
	until  atomic.Int64 // of the last live event, nanoseconds after since
}

func newCourtesy() *courtesy {
	c := &courtesy{since: time.Now()}
	c.until.Store(-int64(livelyTime))
	return c
}

// begin notes that an event is being received; the function that it answers,
// that it is committed or refused.
func (c *courtesy) begin() (end func()) {
	c.live.Add(1)
	return func() {
		c.until.Store(int64(time.Since(c.since) + liveTime))
		c.live.Add(-1)
	}
}

func (c *courtesy) busy() bool {
	return c.live.Load() > 0 || int64(time.Since(c.since)) < c.until.Load()
}

// lively is whether an event was under way a moment ago.
func (c *courtesy) lively() bool {
	return c.live.Load() > 0 || int64(time.Since(c.since)-livelyTime) < c.until.Load()
}

// giveWay waits while live events are under way, most at most.
func (c *courtesy) giveWay(ctx context.Context, most time.Duration) {
	if most <= 0 || !c.busy() && (!c.pauses || !c.lively()) {
		return
	}
	for began := time.Now(); ; {
		select {
		case <-time.After(courtesyStep):
		case <-ctx.Done():
			return
		}
		if !c.busy() || time.Since(began) >= most {
			return
		}
	}
}
