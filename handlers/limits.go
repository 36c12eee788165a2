package handlers

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// allowCall counts a call against its caller's rate.
func (a *App) allowCall(ctx context.Context, c *caller) error {
	_, err := a.reserve(ctx, relay.KindRateLimited, "Too many calls.", a.o.APIRatePerMinute, "api:"+c.ID().Hex())
	return err
}

// replayBudget counts one replay by hand on each of some endpoints, however
// it was asked for, or on none of them. It is the budget of every door.
func (a *App) replayBudget(ctx context.Context, endpoints []relay.ID) (giveBack func(), err error) {
	detail := "Too many manual replays of this endpoint."
	if len(endpoints) > 1 {
		detail = "Too many manual replays of one of these endpoints; nothing was sent to any of them."
	}
	keys := make([]string, len(endpoints))
	for i, id := range endpoints {
		keys[i] = "replays:" + id.Hex()
	}
	return a.reserve(ctx, relay.KindReplayLimited, detail, a.o.ReplaysPerMinute, keys...)
}

// onceEach is the budget for several replays that are one act: each endpoint
// is counted once.
func onceEach(budget db.Budget) db.Budget {
	counted := map[relay.ID]bool{}
	return func(ctx context.Context, endpoints []relay.ID) (func(), error) {
		fresh := slices.DeleteFunc(slices.Clone(endpoints), func(id relay.ID) bool { return counted[id] })
		giveBack, err := budget(ctx, fresh)
		if err != nil {
			return nil, err
		}
		for _, id := range fresh {
			counted[id] = true
		}
		return func() {
			for _, id := range fresh {
				delete(counted, id)
			}
			giveBack()
		}, nil
	}
}

// allowTestFire counts one test event of an endpoint, however it was asked
// for.
func (a *App) allowTestFire(ctx context.Context, endpoint relay.ID) error {
	_, err := a.reserve(ctx, relay.KindTestFireLimited, "Too many test events for this endpoint.", a.o.TestFiresPerMinute, "tests:"+endpoint.Hex())
	return err
}

// reserve counts one act a minute under each of the keys, or none.
func (a *App) reserve(ctx context.Context, kind relay.Kind, detail string, perMinute int, keys ...string) (giveBack func(), err error) {
	if perMinute <= 0 || len(keys) == 0 {
		return func() {}, nil
	}
	giveBack, wait := a.queue.Reserve(ctx, keys, perMinute, time.Minute)
	if giveBack == nil {
		wait = max(wait, time.Second)
		return nil, &relay.Error{Kind: kind, Detail: fmt.Sprintf("%s Try again in %.0f s.", detail, math.Ceil(wait.Seconds())), RetryAfter: wait}
	}
	return giveBack, nil
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
