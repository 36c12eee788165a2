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
	courtesyStep = 500 * time.Microsecond
)

// courtesy lets replays give way to live events. Nothing that can wait begins
// while one is under way, and never two such things at a time: one core at
// least is free for what comes in.
type courtesy struct {
	turn  sync.Mutex // held by whoever writes what can wait
	since time.Time
	live  atomic.Int64
	until atomic.Int64 // of the last live event, nanoseconds after since
}

func newCourtesy() *courtesy { return &courtesy{since: time.Now()} }

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

// GiveWay waits while live events are under way, most at most.
func (s *Store) GiveWay(ctx context.Context, most time.Duration) {
	for began := time.Now(); s.courtesy.busy() && time.Since(began) < most; {
		select {
		case <-time.After(courtesyStep):
		case <-ctx.Done():
			return
		}
	}
}
