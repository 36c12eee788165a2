package jobs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// newTestLimiter has the patience that a busy machine needs.
func newTestLimiter(client redis.UniversalClient) *Limiter {
	l := NewLimiter(client)
	l.wait = 10 * time.Second
	return l
}

// take takes so many times, and tells how often it could and how long it would
// have to wait for one more.
func take(t *testing.T, l *Limiter, key string, rate int, per time.Duration, want int) (granted int, wait time.Duration) {
	t.Helper()
	for range want {
		giveBack, w, err := l.Take(context.Background(), rate, per, key)
		if err != nil {
			t.Fatal(err)
		}
		if giveBack == nil {
			return granted, w
		}
		granted++
	}
	return granted, 0
}

func TestLimiterRefuses(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, client redis.UniversalClient) {
		l, other := newTestLimiter(client), newTestLimiter(client)
		if n, wait := take(t, l, "a", 10, time.Hour, 4); n != 4 || wait != 0 {
			t.Errorf("first: %d, %s", n, wait)
		}
		if n, wait := take(t, other, "a", 10, time.Hour, 8); n != 6 || wait < 50*time.Minute || wait > time.Hour {
			t.Errorf("another process: %d, %s", n, wait)
		}
		if n, wait := take(t, l, "a", 10, time.Hour, 1); n != 0 || wait < 50*time.Minute || wait > time.Hour {
			t.Errorf("third: %d, %s", n, wait)
		}
		if n, _ := take(t, l, "b", 10, time.Hour, 99); n != 10 {
			t.Errorf("another key: %d", n)
		}
		if n, wait := take(t, l, "c", 0, time.Second, 99); n != 99 || wait != 0 {
			t.Errorf("no limit: %d, %s", n, wait)
		}
		if n, _ := take(t, l, "many", 250, time.Hour, 300); n != 250 {
			t.Errorf("a high rate: %d", n)
		}
		if size := client.StrLen(t.Context(), "reprise:limit:many").Val(); size > 200 {
			t.Errorf("250 acts at once take %d bytes", size)
		}
		if keys := client.Keys(t.Context(), "*").Val(); len(keys) != 3 {
			t.Errorf("keys: %q", keys)
		}
		if ttl := client.PTTL(t.Context(), "reprise:limit:a").Val(); ttl < 50*time.Minute || ttl > time.Hour+time.Second {
			t.Errorf("the history lives for %s", ttl)
		}
	})
}

// limitRig are two processes that share a Redis, and the one clock of all.
type limitRig struct {
	now      time.Time
	embedded *Embedded
	limiters []*Limiter
}

func newLimitRig(t *testing.T, shared bool) *limitRig {
	t.Helper()
	r := &limitRig{now: time.Now().Truncate(time.Microsecond)}
	clients := []redis.UniversalClient{nil}
	if shared {
		var err error
		if r.embedded, err = StartEmbedded(); err != nil {
			t.Fatal(err)
		}
		clients = []redis.UniversalClient{r.embedded.Client(), r.embedded.Client()}
		t.Cleanup(func() {
			for _, c := range clients {
				_ = c.Close()
			}
			_ = r.embedded.Close()
		})
	}
	for _, client := range clients {
		l := newTestLimiter(client)
		l.now, l.begun = func() time.Time { return r.now }, r.now
		r.limiters = append(r.limiters, l)
	}
	r.advance(0)
	return r
}

func (r *limitRig) advance(d time.Duration) {
	r.now = r.now.Add((d + time.Microsecond - 1).Truncate(time.Microsecond))
	if r.embedded != nil {
		r.embedded.server.SetTime(r.now)
	}
}

// TestNeverMoreInAnyStretch takes at random times for long, and counts what
// was let through in each stretch of a minute: 10 a minute let 19 through in
// the first one when it refilled by the second.
func TestNeverMoreInAnyStretch(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{false, true} {
		for _, rate := range []int{1, 3, 10, 100, 600} {
			t.Run(fmt.Sprintf("%d a minute, in Redis %t", rate, shared), func(t *testing.T) {
				t.Parallel()
				r := newLimitRig(t, shared)
				random := rand.New(rand.NewPCG(uint64(rate), 1))
				begun, end := r.now, r.now.Add(4*time.Minute)
				var times []time.Time
				for r.now.Before(end) {
					l := r.limiters[random.IntN(len(r.limiters))]
					n, wait := take(t, l, "a", rate, time.Minute, 1)
					if n == 1 {
						times = append(times, r.now)
						r.advance(time.Duration(random.Int64N(int64(time.Minute) / int64(2*rate))))
						continue
					}
					if wait <= 0 || wait > time.Minute+time.Second {
						t.Fatalf("wait %s", wait)
					}
					if random.IntN(2) == 0 { // who waits as long as was said gets through
						r.advance(wait)
						if n, wait := take(t, l, "a", rate, time.Minute, 1); n != 1 {
							t.Fatalf("after the wait, another %s", wait)
						}
						times = append(times, r.now)
					} else {
						r.advance(wait / 2)
					}
				}
				for i := rate; i < len(times); i++ {
					if took := times[i].Sub(times[i-rate]); took < time.Minute {
						t.Fatalf("%d in %s, from %s on", rate+1, took, times[i-rate].Sub(begun))
					}
				}
				if len(times) < 3*rate {
					t.Errorf("%d in four minutes", len(times))
				}
			})
		}
	}
}

func TestLimiterSurvivesAClockThatIsSetBack(t *testing.T) {
	t.Parallel()
	r := newLimitRig(t, true)
	take(t, r.limiters[0], "a", 10, time.Minute, 10)
	r.advance(-time.Hour)
	fresh := newTestLimiter(r.limiters[1].client) // knows only what Redis knows
	if n, wait := take(t, fresh, "a", 10, time.Minute, 1); n != 0 || wait > time.Minute {
		t.Errorf("at once: %d, %s", n, wait)
	}
	r.advance(time.Minute)
	if n, _ := take(t, fresh, "a", 10, time.Minute, 20); n != 10 {
		t.Errorf("a minute later: %d", n)
	}
}

func TestLimiterFollowsALowerRate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, client redis.UniversalClient) {
		l := newTestLimiter(client)
		take(t, l, "a", 10, 24*time.Hour, 10)
		for _, l := range []*Limiter{l, newTestLimiter(client)} {
			if _, wait := take(t, l, "a", 2, time.Hour, 1); wait < 50*time.Minute || wait > time.Hour {
				t.Errorf("2 an hour after 10: wait %s", wait)
			}
		}
	})
}

// TestLimiterCountsAllOrNothing takes under several keys at once, and gives
// back.
func TestLimiterCountsAllOrNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, client redis.UniversalClient) {
		l := newTestLimiter(client)
		take(t, l, "full", 3, time.Hour, 3)
		for _, l := range []*Limiter{l, newTestLimiter(client)} {
			giveBack, wait, err := l.Take(t.Context(), 3, time.Hour, "a", "full", "b")
			if giveBack != nil || wait < 50*time.Minute || err != nil {
				t.Errorf("one of them is used up: %s, %v", wait, err)
			}
		}
		giveBack, _, err := l.Take(t.Context(), 3, time.Hour, "a", "b")
		if giveBack == nil || err != nil {
			t.Fatalf("the others: %v", err)
		}
		for _, key := range []string{"a", "b"} {
			if n, _ := take(t, newTestLimiter(client), key, 3, time.Hour, 2); n != 2 {
				t.Errorf("%s: %d beside one", key, n)
			}
		}
		giveBack()
		for _, key := range []string{"a", "b"} {
			if n, _ := take(t, l, key, 3, time.Hour, 9); n != 1 {
				t.Errorf("%s: %d after one was given back", key, n)
			}
		}
	})
}

func TestLimiterIsExactUnderParallelUse(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, client redis.UniversalClient) {
		var granted atomic.Int64
		var wait sync.WaitGroup
		for range 8 { // as many processes
			l := newTestLimiter(client)
			wait.Go(func() {
				n := 0
				for range 50 {
					one, _ := take(t, l, "a", 100, time.Hour, 1)
					n += one
				}
				granted.Add(int64(n))
			})
		}
		wait.Wait()
		if granted.Load() != 100 {
			t.Errorf("%d granted, want 100", granted.Load())
		}
	})
}

// TestLimiterWithoutRedis: what this process did counts, whether Redis knows
// it, is away, or has forgotten it.
func TestLimiterWithoutRedis(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	l := newTestLimiter(openTestRedis(t, server.URL))
	now := time.Now()
	l.now = func() time.Time { return now }
	take(t, l, "a", 5, time.Hour, 3)
	server.stop()
	if n, wait := take(t, l, "a", 5, time.Hour, 50); n != 2 || wait <= 0 || wait > time.Hour {
		t.Errorf("%d beside 3 while Redis is away, then wait %s", n, wait)
	}
	server.start(t)
	eventually(t, "the limit is counted in Redis again", func() bool {
		now = now.Add(2 * limitRetry)
		take(t, l, "b", 1_000_000, time.Hour, 1)
		return l.client.Exists(context.Background(), "reprise:limit:b").Val() == 1
	})
	if n, _ := take(t, l, "a", 5, time.Hour, 1); n != 0 {
		t.Error("one more after Redis came back empty")
	}
	now = now.Add(time.Hour)
	if n, _ := take(t, l, "a", 5, time.Hour, 50); n != 5 {
		t.Errorf("%d an hour later", n)
	}
}

func TestLimiterStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if giveBack, _, err := NewLimiter(nil).Take(ctx, 1, time.Second, "a"); giveBack != nil || err == nil {
		t.Error(err)
	}
}

func TestLimiterMemoryIsBounded(t *testing.T) {
	t.Parallel()
	l := NewLimiter(nil)
	for i := range 3 * maxLocalKeys {
		take(t, l, fmt.Sprint(i), 1, time.Hour, 1)
	}
	if len(l.local) > maxLocalKeys {
		t.Errorf("%d keys are kept", len(l.local))
	}
	take(t, l, "a", 10_000, time.Hour, 10_000)
	if h := l.local["a"].acts; len(h) > limitSteps+1 {
		t.Errorf("%d entries are kept", len(h))
	}
}

func BenchmarkLimiter(b *testing.B) {
	for name, url := range map[string]string{"embedded": EmbeddedURL, "real": ""} {
		b.Run(name, func(b *testing.B) {
			if url == "" {
				url = startRedis(b).URL
			}
			l := NewLimiter(openTestRedis(b, url))
			for b.Loop() {
				_, _, _ = l.Take(b.Context(), 1_000_000, time.Second, "a")
			}
		})
	}
}
