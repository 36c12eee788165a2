package db

import (
	"context"
	"testing"
	"time"
)

func TestReplaysGiveWayToLiveEvents(t *testing.T) {
	t.Parallel()
	s := &Store{courtesy: newCourtesy()}
	wait := func(ctx context.Context, most time.Duration) <-chan struct{} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.courtesy.giveWay(ctx, most)
		}()
		return done
	}
	over := func(what string, done <-chan struct{}) {
		t.Helper()
		eventually(t, what, func() bool {
			select {
			case <-done:
				return true
			default:
				return false
			}
		})
	}
	over("without live events nobody waits", wait(t.Context(), time.Hour))

	first, second := s.courtesy.begin(), s.courtesy.begin()
	over("where live events never cease the wait has an end", wait(t.Context(), time.Millisecond))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	over("a stop ends the wait", wait(ctx, time.Hour))
	patient := wait(t.Context(), time.Hour)
	first()
	if !s.courtesy.busy() {
		t.Error("one of two live events is still being received, but nothing is under way")
	}
	select {
	case <-patient:
		t.Error("a replay did not wait for both live events")
	default:
	}
	second()
	over("after the last live event it goes on", patient)
}
