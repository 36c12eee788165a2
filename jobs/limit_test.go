package jobs

import (
	"context"
	"fmt"
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

func take(t *testing.T, l *Limiter, key string, rate int, per time.Duration, want int) (int, time.Duration) {
	t.Helper()
	granted, wait, err := l.Take(context.Background(), key, rate, per, want)
	if err != nil {
		t.Fatal(err)
	}
	return granted, wait
}

func TestLimiterBurstAndRefusal(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, client redis.UniversalClient) {
		l := newTestLimiter(client)
		if n, wait := take(t, l, "a", 10, time.Hour, 4); n != 4 || wait != 0 {
			t.Errorf("first: %d, %s", n, wait)
		}
		// 6 are left; the next one after a tenth of the hour.
		if n, wait := take(t, l, "a", 10, time.Hour, 8); n != 6 || wait < 5*time.Minute || wait > 6*time.Minute {
			t.Errorf("second: %d, %s", n, wait)
		}
		if n, wait := take(t, l, "a", 10, time.Hour, 1); n != 0 || wait < 5*time.Minute || wait > 6*time.Minute {
			t.Errorf("third: %d, %s", n, wait)
		}
		if n, _ := take(t, l, "b", 10, time.Hour, 99); n != 10 {
			t.Errorf("another key: %d", n)
		}
		if n, wait := take(t, l, "c", 0, time.Second, 99); n != 99 || wait != 0 {
			t.Errorf("no limit: %d, %s", n, wait)
		}
		if n, _ := take(t, l, "d", 3, time.Second, 3); n != 3 {
			t.Errorf("a rate that does not divide: %d", n)
		}
		if keys := client.Keys(t.Context(), "*").Val(); len(keys) != 3 {
			t.Errorf("keys: %q", keys)
		}
		if ttl := client.PTTL(t.Context(), "reprise:limit:a").Val(); ttl < 59*time.Minute || ttl > time.Hour+time.Second {
			t.Errorf("the counter lives for %s", ttl)
		}
	})
}

func TestLimiterRefills(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, client redis.UniversalClient) {
		l := newTestLimiter(client)
		take(t, l, "a", 100, time.Second, 100)
		n, wait := take(t, l, "a", 100, time.Second, 1)
		if n != 0 || wait <= 0 || wait > 10*time.Millisecond {
			t.Fatalf("%d, %s", n, wait)
		}
		start := time.Now()
		got := 0
		eventually(t, "20 more are granted", func() bool {
			n, _ := take(t, l, "a", 100, time.Second, 5)
			got += n
			return got >= 20
		})
		if took := time.Since(start); took < 150*time.Millisecond {
			t.Errorf("20 of 100 a second after %s", took)
		}
	})
}

func TestLimiterFollowsALowerRate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, client redis.UniversalClient) {
		l := newTestLimiter(client)
		take(t, l, "a", 10, 24*time.Hour, 10)
		if _, wait := take(t, l, "a", 10, time.Second, 1); wait > 100*time.Millisecond {
			t.Errorf("the old rate still holds for %s", wait)
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
				for range 50 {
					n, _ := take(t, l, "a", 100, time.Hour, 1)
					granted.Add(int64(n))
				}
			})
		}
		wait.Wait()
		if granted.Load() != 100 {
			t.Errorf("%d granted, want 100", granted.Load())
		}
	})
}

func TestLimiterWithoutRedis(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	l := newTestLimiter(openTestRedis(t, server.URL))
	now := time.Now()
	l.now = func() time.Time { return now }
	take(t, l, "a", 5, time.Hour, 5)
	server.stop()
	granted := 0
	for range 50 {
		n, wait := take(t, l, "a", 5, time.Hour, 1)
		granted += n
		if n == 0 && (wait <= 0 || wait > 12*time.Minute) {
			t.Fatalf("wait %s", wait)
		}
	}
	if granted != 5 {
		t.Errorf("%d granted while Redis is away, want 5", granted)
	}
	now = now.Add(12 * time.Minute)
	if n, _ := take(t, l, "a", 5, time.Hour, 5); n != 1 {
		t.Errorf("%d granted after a fifth of the time, want 1", n)
	}
	server.start(t)
	now = now.Add(2 * limitRetry)
	eventually(t, "the limit is counted in Redis again", func() bool {
		now = now.Add(2 * limitRetry)
		take(t, l, "b", 1000, time.Hour, 1)
		return l.client.Exists(context.Background(), "reprise:limit:b").Val() == 1
	})
}

func TestLimiterStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, _, err := NewLimiter(nil).Take(ctx, "a", 1, time.Second, 1); n != 0 || err == nil {
		t.Errorf("%d, %v", n, err)
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
}

func BenchmarkLimiter(b *testing.B) {
	for name, url := range map[string]string{"embedded": EmbeddedURL, "real": ""} {
		b.Run(name, func(b *testing.B) {
			if url == "" {
				url = startRedis(b).URL
			}
			l := NewLimiter(openTestRedis(b, url))
			for b.Loop() {
				_, _, _ = l.Take(b.Context(), "a", 1000, time.Second, 1)
			}
		})
	}
}
