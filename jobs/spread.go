package jobs

import (
	"context"
	"sync"
	"time"
)

// spread sends replays evenly: they are claimed many at a time, and all at
// once they would stand in the way of live deliveries.
type spread struct {
	mu   sync.Mutex
	gap  time.Duration // between two of them; 0: none
	next time.Time
}

const (
	// spreadSpare is how much quicker than made replays may be sent, so that
	// retries find a place.
	spreadSpare = 1.5
	// spreadMost is how long one may wait for its turn.
	spreadMost = 100 * time.Millisecond
	// queueCourtesy and sendCourtesy are for how long replays that could be
	// queued, and one that could be sent, give way to live events.
	queueCourtesy = 20 * time.Millisecond
	sendCourtesy  = 5 * time.Millisecond
)

// pace sets how many replays a second are made; 0: no spreading.
func (s *spread) pace(perSecond float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gap = 0
	if perSecond > 0 {
		s.gap = time.Duration(float64(time.Second) / (perSecond * spreadSpare))
	}
}

// wait waits for the turn of one replay.
func (s *spread) wait(ctx context.Context) {
	if d := s.turn(time.Now()); d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// turn is after how long a replay may be sent.
func (s *spread) turn(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.next
	if at.Before(now) {
		at = now
	}
	if latest := now.Add(spreadMost); at.After(latest) {
		at = latest
	}
	s.next = at.Add(s.gap)
	return at.Sub(now)
}
