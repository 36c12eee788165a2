package handlers

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// allowCall counts a call against its caller's rate.
func (a *App) allowCall(ctx context.Context, c *caller) error {
	return a.allow(ctx, relay.KindRateLimited, "Too many calls.", "api:"+c.ID().Hex(), a.o.APIRatePerMinute)
}

// allowReplays counts one manual replay of an endpoint, however it was asked
// for.
func (a *App) allowReplays(ctx context.Context, endpoint relay.ID) error {
	return a.allow(ctx, relay.KindReplayLimited, "Too many manual replays of this endpoint.", "replays:"+endpoint.Hex(), a.o.ReplaysPerMinute)
}

// allowTestFire counts one test event of an endpoint, however it was asked
// for.
func (a *App) allowTestFire(ctx context.Context, endpoint relay.ID) error {
	return a.allow(ctx, relay.KindTestFireLimited, "Too many test events for this endpoint.", "tests:"+endpoint.Hex(), a.o.TestFiresPerMinute)
}

func (a *App) allow(ctx context.Context, kind relay.Kind, detail, key string, perMinute int) error {
	if perMinute <= 0 {
		return nil
	}
	ok, wait := a.queue.Allow(ctx, key, perMinute, time.Minute)
	if ok {
		return nil
	}
	return &relay.Error{Kind: kind, Detail: detail + " Try again later.", RetryAfter: max(wait, time.Second)}
}

// sourceLimits are the rates of the sources, counted in this process alone so
// that receiving needs no Redis. For each source one number is kept: when all
// that was let in would have come at an even pace.
type sourceLimits struct{ bySource sync.Map }

// take lets a request in, or tells when the next one may come. Up to a
// second's worth may come at once.
func (l *sourceLimits) take(source relay.ID, perSecond int, now time.Time) (ok bool, wait time.Duration) {
	entry, found := l.bySource.Load(source)
	if !found {
		entry, _ = l.bySource.LoadOrStore(source, new(atomic.Int64))
	}
	tat := entry.(*atomic.Int64)
	cell := int64(time.Second) / int64(perSecond)
	present := now.UnixNano()
	for {
		old := tat.Load()
		next := max(old, present) + cell
		if ahead := next - present; ahead > int64(time.Second) {
			return false, time.Duration(ahead - int64(time.Second))
		}
		if tat.CompareAndSwap(old, next) {
			return true, 0
		}
	}
}
