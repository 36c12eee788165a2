package relay_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// TestWindowHoldsInEveryStretch asks at random times, and waits as long as it is
// told: then there is room, and in no stretch there is too much.
func TestWindowHoldsInEveryStretch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate int
		per  time.Duration
	}{{1, time.Second}, {5, time.Second}, {7, 90 * time.Millisecond}, {500, time.Second}, {1300, time.Second}} {
		dice := rand.New(rand.NewPCG(1, uint64(c.rate)))
		now := time.UnixMicro(1_700_000_000_000_000)
		var w relay.Window
		var acts []time.Time
		for range 400 {
			want := 1 + dice.IntN(2*c.rate)
			n, wait := w.Grant(now, c.rate, c.per, want)
			if (n == want) != (wait == 0) {
				t.Fatalf("%d of %d granted, wait %s", n, want, wait)
			}
			w = relay.WindowOf(w.With(now, c.rate, c.per, n).Bytes())
			for range n {
				acts = append(acts, now)
			}
			if wait > 0 && dice.IntN(2) == 0 {
				if n, _ := w.Grant(now.Add(wait-time.Microsecond), c.rate, c.per, 1); n > 0 && wait > time.Microsecond {
					t.Fatalf("there is room before %s have passed", wait)
				}
				now = now.Add(wait)
				if n, _ := w.Grant(now, c.rate, c.per, 1); n != 1 {
					t.Fatalf("no room after %s", wait)
				}
				continue
			}
			now = now.Add(time.Duration(dice.Int64N(int64(c.per)))).Truncate(time.Microsecond)
		}
		for i := c.rate; i < len(acts); i++ {
			if gap := acts[i].Sub(acts[i-c.rate]); gap < c.per {
				t.Fatalf("%d acts within %s, the rate is %d in %s", c.rate+1, gap, c.rate, c.per)
			}
		}
	}
}
