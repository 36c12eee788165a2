package jobs

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	limitTimeout = 300 * time.Millisecond
	limitRetry   = time.Second // before Redis is asked again after a failure
	maxLocalKeys = 20_000
)

// Limiter counts against rates that all processes share: deliveries to an
// endpoint, API calls of a key, replays, log-ins. While Redis does not answer,
// each process counts for itself, so that limits neither vanish nor block.
type Limiter struct {
	client redis.UniversalClient
	now    func() time.Time
	wait   time.Duration // for Redis to answer

	mu        sync.Mutex
	local     map[string]float64 // theoretical arrival times, as in the script
	localOnly time.Time          // until then Redis is not asked
}

// NewLimiter makes a Limiter. Without a client it counts in this process only.
func NewLimiter(client redis.UniversalClient) *Limiter {
	return &Limiter{client: client, now: time.Now, wait: limitTimeout, local: make(map[string]float64)}
}

// The generic cell rate algorithm, for several cells at once. One number is
// kept for each key: the time at which everything granted so far would have
// been due at an even pace ("theoretical arrival time"), in microseconds.
var limitScript = redis.NewScript(`
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local rate, per, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local cell = per / rate
local tat = tonumber(redis.call('GET', KEYS[1]) or now)
tat = math.min(math.max(tat, now), now + per)
local granted = math.min(want, math.floor((now + per - tat) / cell + 0.000001))
if granted > 0 then
	tat = tat + granted * cell
	redis.call('SET', KEYS[1], string.format('%.0f', tat), 'PX', math.ceil((tat - now) / 1000) + 1)
end
local wait = 0
if granted < want then
	wait = math.max(0, math.ceil(tat + cell - now - per))
end
return {granted, wait}
`)

// Take asks for want units under a rate of so many per time. A full rate may
// go in one burst; over time it evens out. granted is how many are allowed now,
// and if that is fewer, retryAfter is when the next one will be. A rate of zero
// or less is no limit. The only error is that ctx has ended.
func (l *Limiter) Take(ctx context.Context, key string, rate int, per time.Duration, want int) (granted int, retryAfter time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	if rate <= 0 || per <= 0 || want <= 0 {
		return max(want, 0), 0, nil
	}
	if l.asksRedis() {
		asking, cancel := context.WithTimeout(ctx, l.wait)
		defer cancel()
		answer, err := limitScript.Run(asking, l.client, []string{keyPrefix + "limit:" + key}, rate, per.Microseconds(), want).Int64Slice()
		if err == nil && len(answer) == 2 {
			return int(answer[0]), time.Duration(answer[1]) * time.Microsecond, nil
		}
		if ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
		l.leaveRedis(err)
	}
	granted, retryAfter = l.takeLocal(key, rate, per, want)
	return granted, retryAfter, nil
}

func (l *Limiter) asksRedis() bool {
	if l.client == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.now().Before(l.localOnly)
}

func (l *Limiter) leaveRedis(err error) {
	l.mu.Lock()
	now := l.now()
	since := now.Sub(l.localOnly)
	l.localOnly = now.Add(limitRetry)
	l.mu.Unlock()
	if since > 10*limitRetry {
		slog.Warn("rate limits are counted in this process only, for Redis does not answer", "error", err)
	}
}

// takeLocal is the script in Go.
func (l *Limiter) takeLocal(key string, rate int, per time.Duration, want int) (int, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, span := float64(l.now().UnixMicro()), float64(per.Microseconds())
	cell := span / float64(rate)
	tat := min(max(l.local[key], now), now+span)
	granted := min(want, int(math.Floor((now+span-tat)/cell+1e-6)))
	if granted > 0 {
		tat += float64(granted) * cell
		l.keepLocal(key, tat, now)
	}
	if granted == want {
		return granted, 0
	}
	return granted, time.Duration(max(0, math.Ceil(tat+cell-now-span))) * time.Microsecond
}

// keepLocal bounds the memory: what is due has no effect any more and goes
// first, and with too many still undue keys all start anew.
func (l *Limiter) keepLocal(key string, tat, now float64) {
	if _, known := l.local[key]; !known && len(l.local) >= maxLocalKeys {
		for k, v := range l.local {
			if v <= now {
				delete(l.local, k)
			}
		}
		if len(l.local) >= maxLocalKeys {
			clear(l.local)
		}
	}
	l.local[key] = tat
}
