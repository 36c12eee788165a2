package jobs

import (
	"testing"
	"time"
)

func TestSpreadSendsReplaysEvenly(t *testing.T) {
	var s spread
	now := time.Now()
	for range 3 {
		if d := s.turn(now); d != 0 {
			t.Errorf("without a pace one waits %s", d)
		}
	}
	s.pace(100)
	gap := time.Second / 150
	for i := range 10 {
		if d := s.turn(now); (d - time.Duration(i)*gap).Abs() > time.Millisecond {
			t.Errorf("number %d waits %s, not %s", i, d, time.Duration(i)*gap)
		}
	}
	for range 100 {
		if d := s.turn(now); d > spreadMost {
			t.Fatalf("one waits %s", d)
		}
	}
	if d := s.turn(now.Add(time.Second)); d != 0 {
		t.Errorf("after a pause one waits %s", d)
	}
}

func TestWhatEndsAsksForMoreUntilNothingIsDue(t *testing.T) {
	l, id := newPaces(64), [16]byte{1}
	l.room(id, 0)
	l.claim(id, false, 2)
	if !l.settle(id, false) {
		t.Error("before a claim found too little, nothing more is asked for")
	}
	l.sated(id, true)
	if l.settle(id, false) {
		t.Error("more is asked for although nothing is due")
	}
	if l.room(id, 0); !l.settle(id, false) {
		t.Error("after a new look nothing more is asked for")
	}
}
