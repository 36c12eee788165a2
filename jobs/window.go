package jobs

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// Window holds deliveries to an endpoint's rate: never more than so many in
// any stretch of the given length, over all processes. Unlike Limiter it grants
// many at once, and needs Redis, which carries the deliveries anyway.
type Window struct{ client redis.UniversalClient }

// windowLog bounds the log: a higher rate is held in proportionally shorter
// stretches, which is stricter.
const windowLog = 500

var windowScript = redis.NewScript(`
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local rate, per, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local granted = 0
while granted < want do
	local bound = redis.call('LINDEX', KEYS[1], rate - 1)
	if bound and now - tonumber(bound) < per then break end
	redis.call('LPUSH', KEYS[1], string.format('%.0f', now))
	granted = granted + 1
end
if granted > 0 then
	redis.call('LTRIM', KEYS[1], 0, rate - 1)
	redis.call('PEXPIRE', KEYS[1], math.ceil(per / 1000) + 1000)
end
return granted
`)

// Take asks for up to want places and tells how many there are now.
func (w *Window) Take(ctx context.Context, key string, rate int, per time.Duration, want int) (int, error) {
	for rate > windowLog {
		rate, per = rate/2, per/2
	}
	return windowScript.Run(ctx, w.client, []string{keyPrefix + "window:" + key}, rate, per.Microseconds(), want).Int()
}

// GiveBack returns places that were taken last and not used.
func (w *Window) GiveBack(ctx context.Context, key string, n int) error {
	return w.client.LPopCount(ctx, keyPrefix+"window:"+key, n).Err()
}
