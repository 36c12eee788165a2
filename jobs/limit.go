package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	limitTimeout = 300 * time.Millisecond
	limitRetry   = time.Second // before Redis is asked again after a failure
	maxLocalKeys = 20_000
)

// Limiter holds acts to rates that all processes share: manual replays, test
// events, API calls, log-ins. Of the acts under one key there are never more
// than the rate says in any stretch of its length.
//
// Every act is counted in this process too, so that the rate holds for what
// this process did when Redis goes away, comes back, or comes back empty.
type Limiter struct {
	client redis.UniversalClient
	now    func() time.Time
	begun  time.Time     // local times are counted from here, by the monotonic clock
	wait   time.Duration // for Redis to answer

	mu        sync.Mutex
	local     map[string]localLimit
	localOnly time.Time // until then Redis is not asked
}

// NewLimiter makes a Limiter. Without a client it counts in this process only.
func NewLimiter(client redis.UniversalClient) *Limiter {
	return &Limiter{client: client, now: time.Now, begun: time.Now(), wait: limitTimeout, local: make(map[string]localLimit)}
}

// limitScript is what takeLocal does, in Redis and by the clock of Redis. A
// history is kept as text: the time and the number of each of its entries.
var limitScript = redis.NewScript(`
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local rate, per, step = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local at = now - now % step + step - 1
local kept, wait = {}, 0
for i, key in ipairs(KEYS) do
	local entries, used = {}, 0
	for time, n in string.gmatch(redis.call('GET', key) or '', '(%d+) (%d+)') do
		time, n = math.min(tonumber(time), at), tonumber(n)
		if now - time < per then
			entries[#entries + 1] = {time, n}
			used = used + n
		end
	end
	kept[i] = entries
	for _, entry in ipairs(entries) do
		if used < rate then break end
		used = used - entry[2]
		wait = math.max(wait, entry[1] + per - now)
	end
end
for i, key in ipairs(KEYS) do
	local entries = kept[i]
	local last = entries[#entries]
	if wait == 0 and last and last[1] == at then
		last[2] = last[2] + 1
	elseif wait == 0 then
		entries[#entries + 1] = {at, 1}
	end
	for j, entry in ipairs(entries) do
		entries[j] = string.format('%.0f %.0f', entry[1], entry[2])
	end
	if #entries > 0 then
		redis.call('SET', key, table.concat(entries, ' '), 'PX', math.ceil((per + step) / 1000))
	end
end
return {wait, at}
`)

var giveBackScript = redis.NewScript(`
for _, key in ipairs(KEYS) do
	local text, life = redis.call('GET', key), redis.call('PTTL', key)
	if text and life > 0 then
		local kept = {}
		for time, n in string.gmatch(text, '(%d+) (%d+)') do
			if time == ARGV[1] then n = tostring(tonumber(n) - 1) end
			if n ~= '0' then kept[#kept + 1] = time .. ' ' .. n end
		end
		redis.call('SET', key, table.concat(kept, ' '), 'PX', life)
	end
end
return 0
`)

// Take counts one act under each of the keys, at a rate of so many per time.
// If that would be too many under any of them it counts under none: giveBack
// is nil then, and wait says when there will be room. giveBack takes back an act
// that came to nothing. A rate of zero or less is no limit. The only error is
// that ctx has ended.
func (l *Limiter) Take(ctx context.Context, rate int, per time.Duration, keys ...string) (giveBack func(), wait time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if rate <= 0 || per <= 0 || len(keys) == 0 {
		return func() {}, 0, nil
	}
	at, wait := l.takeLocal(rate, per, keys)
	if wait > 0 {
		return nil, wait, nil
	}
	giveBackLocal := func() { l.giveBackLocal(at, keys) }
	if !l.asksRedis() {
		return giveBackLocal, 0, nil
	}
	asking, cancel := context.WithTimeout(ctx, l.wait)
	defer cancel()
	names := make([]string, len(keys))
	for i, key := range keys {
		names[i] = keyPrefix + "limit:" + key
	}
	answer, err := limitScript.Run(asking, l.client, names, rate, per.Microseconds(), limitStep(rate, per)).Int64Slice()
	switch {
	case err == nil && answer[0] == 0:
		return func() {
			giveBackLocal()
			l.giveBackShared(ctx, answer[1], names)
		}, 0, nil
	case err == nil:
		giveBackLocal()
		return nil, time.Duration(answer[0]) * time.Microsecond, nil
	case ctx.Err() != nil:
		return nil, 0, ctx.Err()
	}
	l.leaveRedis(err)
	return giveBackLocal, 0, nil
}

func (l *Limiter) giveBackShared(ctx context.Context, at int64, names []string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.wait)
	defer cancel()
	if err := giveBackScript.Run(ctx, l.client, names, at).Err(); err != nil {
		l.leaveRedis(err) // it stays counted, which is the careful side
	}
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

func (l *Limiter) takeLocal(rate int, per time.Duration, keys []string) (at int64, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, span, step := l.now().Sub(l.begun).Microseconds(), per.Microseconds(), limitStep(rate, per)
	for _, key := range keys {
		wait = max(wait, time.Duration(l.local[key].acts.wait(now, rate, span))*time.Microsecond)
	}
	if wait > 0 {
		return 0, wait
	}
	at = now - now%step + step - 1
	for _, key := range keys {
		l.keepLocal(key, localLimit{l.local[key].acts.since(now - span).with(at), at + span}, now)
	}
	return at, 0
}

func (l *Limiter) giveBackLocal(at int64, keys []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range keys {
		l.local[key].acts.without(at)
	}
}

// localLimit is what this process did under a key, and when that counts no
// more.
type localLimit struct {
	acts history
	gone int64
}

// keepLocal bounds the memory: what counts no more goes first, and if there
// are too many keys all the same, all start anew.
func (l *Limiter) keepLocal(key string, h localLimit, now int64) {
	if _, known := l.local[key]; !known && len(l.local) >= maxLocalKeys {
		for k, v := range l.local {
			if v.gone <= now {
				delete(l.local, k)
			}
		}
		if len(l.local) >= maxLocalKeys {
			clear(l.local)
		}
	}
	l.local[key] = h
}
