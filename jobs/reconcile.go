package jobs

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

const (
	reconcileTick = 3 * time.Second
	pruneTick     = 10 * time.Minute
)

// reconcile is a plain loop, for it must work when Redis does not: it gives
// back what dead processes held, finishes discarding for deleted endpoints,
// tells that this process lives, and now and then removes what has expired.
func (e *Engine) reconcile(ctx context.Context) {
	tick := time.NewTicker(reconcileTick)
	defer tick.Stop()
	var pruned time.Time
	for {
		e.reconcileOnce(ctx)
		if now := e.Now(); now.Sub(pruned) > pruneTick {
			pruned = now
			e.prune(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (e *Engine) reconcileOnce(ctx context.Context) {
	err := e.Store.Beat(ctx, e.owner, e.Host, "worker")
	n := 0
	if err == nil {
		n, err = e.Store.Reclaim(ctx, false)
	}
	if n > 0 {
		e.Log.Info("deliveries of a process that went silent are due again", "count", n)
		e.look()
	}
	if err == nil {
		_, err = e.Store.DiscardDeleted(ctx)
	}
	if err != nil && ctx.Err() == nil {
		e.Log.Warn("reconciling", "error", err)
	}
}

// prune runs on one process at a time, which holds a lease in SQL.
func (e *Engine) prune(ctx context.Context) {
	mine, err := e.Store.TakeLease(ctx, "prune", e.owner, pruneTick)
	if err == nil && mine {
		err = e.Store.Prune(ctx)
	}
	if err != nil && ctx.Err() == nil && relay.KindOf(err) != relay.KindUnavailable {
		e.Log.Warn("pruning", "error", err)
	}
}
