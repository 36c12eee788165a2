package sqldb

import (
	"context"
	"sync/atomic"
	"time"
)

// serverClock is the time that all processes on one database share: on PostgreSQL the
// server's, which each process follows by its own clock and what it measured last.
// Leases, beats and what is due are judged by it.
type serverClock struct {
	Own    func() time.Time
	Given  bool         // it is the only clock there is
	offset atomic.Int64 // nanoseconds that the server is ahead
}

// Now is the store's clock, in the precision that it keeps.
func (s *DB) Now() time.Time {
	return s.Clock.Own().Add(time.Duration(s.Clock.offset.Load())).UTC().Truncate(time.Microsecond)
}

// ClockOffset is how far the clock of the database is ahead of this process's.
func (s *DB) ClockOffset() time.Duration { return time.Duration(s.Clock.offset.Load()) }

const (
	// measureMost is how long asking for the time may take for the answer to count.
	measureMost = time.Second
	clockEvery  = 5 * time.Second
	// ClockOff is how far the clock of a machine may be off before it is told of.
	ClockOff = 2 * time.Second
)

// followClock keeps up with the server's clock, and says so when this process's is
// far off.
func (s *DB) followClock(ctx context.Context) {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	told := false
	for {
		if off := s.ClockOffset().Abs(); off <= ClockOff {
			told = false
		} else if !told {
			told = true
			s.Log.Warn("the clock of this machine is off; the database's is the one that counts", "by", off.Round(time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_ = s.askClock(ctx) // the next time then
	}
}

// askClock asks the server for the time, on a connection that nothing else keeps
// busy for long.
func (s *DB) askClock(ctx context.Context) error {
	pg, ok := s.Hot.(*PGHot)
	if !ok || s.Clock.Given {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*measureMost)
	defer cancel()
	var server time.Time
	before := s.Clock.Own()
	if err := pg.Control.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&server); err != nil {
		return Translate(err)
	}
	s.Clock.measure(before, s.Clock.Own(), server)
	return nil
}

// measure learns from what the server's clock said between two times of this
// process.
func (c *serverClock) measure(before, after, server time.Time) {
	if took := after.Sub(before); took >= 0 && took <= measureMost {
		c.offset.Store(int64(server.Sub(before.Add(took / 2))))
	}
}
