package jobs

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

const (
	reconcileEvery = time.Second
	// reclaimEvery is how often leases are looked for that have lapsed.
	reclaimEvery = 3 * time.Second
	// dailyEvery is how often it is looked whether retention is due, and
	// whether dead processes have left anything in Redis.
	dailyEvery = time.Minute
)

// reconcile is a plain loop, for it must work when Redis does not: it gives back
// what dead processes held, and makes the task of a slice for everything long
// that nobody works on.
func (e *Engine) reconcile(ctx context.Context) {
	var reclaimed, daily time.Time
	every(ctx, reconcileEvery, func() {
		now := e.Now()
		names := []string{kindPrune}
		if now.Sub(reclaimed) >= reclaimEvery {
			reclaimed = now
			e.reclaim(ctx)
		}
		if now.Sub(daily) >= dailyEvery {
			daily = now
			names = append(names, kindRetention)
			e.tidyRedis(ctx)
		}
		if !e.sealed.Load() {
			names = append(names, kindSeal)
		}
		if e.deleted.Swap(false) {
			names = append(names, kindDiscard)
		}
		if err := e.giveSlices(ctx, names); err != nil && ctx.Err() == nil {
			e.Log.Warn("looking for what is to be done", "error", err)
		}
	})
}

func (e *Engine) reclaim(ctx context.Context) {
	n, err := e.Store.Reclaim(ctx, false)
	if err != nil && ctx.Err() == nil {
		e.Log.Warn("reclaiming deliveries", "error", err)
	}
	e.metrics.lapsed.Add(float64(n))
	if n > 0 {
		e.Log.Info("deliveries of a process that went silent are due again", "count", n)
		e.look()
	}
}

// giveSlices makes tasks for what is named, for the replay jobs that run and for
// what a slice has left, unless it rests or somebody works on it.
func (e *Engine) giveSlices(ctx context.Context, names []string) error {
	turns, err := e.Store.TaskLeases(ctx)
	if err != nil {
		return err
	}
	running, err := e.Store.RunningReplays(ctx)
	if err != nil {
		return err
	}
	for _, job := range running {
		names = append(names, sliceName(kindReplay, job.ID))
	}
	for name := range turns {
		if name == kindRetention || name == kindDiscard {
			names = append(names, name)
		}
	}
	now, given := e.Now(), map[string]bool{}
	for _, name := range names {
		if turn := turns[name]; !given[name] && !turn.Until.After(now) {
			given[name] = true
			e.giveSlice(ctx, name, turn.Step)
		}
	}
	return nil
}

// tidyRedis removes what processes that are gone have left.
func (e *Engine) tidyRedis(ctx context.Context) {
	if e.Alone || !e.redisOK.Load() {
		return
	}
	alive, err := e.Store.AliveProcesses(ctx)
	if err != nil {
		return
	}
	if err := e.Tasks.Sweep(ctx, ofDeadProcess(alive)); err != nil {
		e.Log.Debug("removing the queues of processes that are gone", "error", err)
	}
}

// replayChanged has a job worked on at once that somebody changed.
func (e *Engine) replayChanged(id relay.ID) {
	turns, err := e.Store.TaskLeases(e.accept)
	if err != nil {
		return // it is found within a second
	}
	name := sliceName(kindReplay, id)
	e.giveSlice(e.accept, name, turns[name].Step)
}
