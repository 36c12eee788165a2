package relay

import (
	"bytes"
	"testing"
	"time"
)

// TestIDsSortByTheMicrosecond: entries of the audit log made one after the
// other were listed in another order.
func TestIDsSortByTheMicrosecond(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 9, 30, 0, 999_000, time.UTC)
	last := NewIDAt(at)
	for range 5000 {
		at = at.Add(time.Microsecond)
		next := NewIDAt(at)
		if bytes.Compare(last[:], next[:]) >= 0 {
			t.Fatalf("%s is not after %s", next, last)
		}
		if got := next.Time(); !got.Equal(at.Truncate(time.Millisecond)) {
			t.Fatalf("%s is of %s, want %s", next, got, at)
		}
		last = next
	}
}
