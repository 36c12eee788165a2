package jobs

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

const (
	replayTick = 100 * time.Millisecond // while a job runs
	replayIdle = 250 * time.Millisecond // while none does
	// replayLease is how long the process that runs a job may be silent
	// before another one takes it over.
	replayLease = 5 * time.Second
	// replayBurst is for how long a job may catch up what it did not make.
	replayBurst = 250 * time.Millisecond
	// replayAhead is for how long deliveries are made ahead of the senders.
	replayAhead = 2 * time.Second
)

// replayRun is a job that this process runs.
type replayRun struct {
	credit  float64 // deliveries that may be made now
	at      time.Time
	leased  time.Time // until when nobody else runs it
	checked time.Time
}

// replay is a plain loop that makes the deliveries of replay jobs, each at its
// own rate. A job is run by one process at a time; two would harm nothing but
// its pace.
func (e *Engine) replay(ctx context.Context) {
	runs := map[relay.ID]*replayRun{}
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		next := replayIdle
		if e.replayRound(ctx, runs) {
			next = replayTick
		}
		tick.Reset(next)
	}
}

// replayRound looks after every job once and reports whether there are any.
func (e *Engine) replayRound(ctx context.Context, runs map[relay.ID]*replayRun) bool {
	open, err := e.Store.RunningReplays(ctx)
	if err != nil {
		e.warnReplay(ctx, "looking for replay jobs", err)
		return false
	}
	alive := map[relay.ID]bool{}
	for _, job := range open {
		alive[job.ID] = true
		if runs[job.ID] == nil {
			runs[job.ID] = &replayRun{at: e.Now()}
		}
		if err := e.runReplay(ctx, job, runs[job.ID]); err != nil {
			e.warnReplay(ctx, "running a replay job", err)
		}
	}
	for id := range runs {
		if !alive[id] {
			delete(runs, id)
		}
	}
	return len(open) > 0
}

func (e *Engine) warnReplay(ctx context.Context, doing string, err error) {
	if ctx.Err() == nil {
		e.Log.Warn(doing, "error", err)
	}
}

func (e *Engine) runReplay(ctx context.Context, job db.RunningReplay, run *replayRun) error {
	now := e.Now()
	if !e.Alone && run.leased.Sub(now) < replayLease/2 {
		mine, err := e.Store.TakeLease(ctx, "replay:"+job.ID.Hex(), e.owner, replayLease)
		if err != nil || !mine {
			run.at = now
			return err
		}
		run.leased = now.Add(replayLease)
	}
	if job.Settling {
		if err := e.Store.SettleReplay(ctx, job.ID); err != nil {
			return err
		}
		e.hints.all.Store(true)
		e.poke()
	}
	if !job.Running {
		run.at, run.credit = now, 0
		return nil
	}
	rate := float64(job.RateLimit)
	run.credit = min(run.credit+rate*now.Sub(run.at).Seconds(), max(rate*replayBurst.Seconds(), 1))
	run.at = now
	if err := e.makeReplays(ctx, job, run); err != nil {
		return err
	}
	// The brake must bite soon, but looking at the newest attempts is not free.
	if now.Sub(run.checked) >= replayBurst {
		run.checked = now
		_, err := e.Store.CheckReplay(ctx, job.ID)
		return err
	}
	return nil
}

// makeReplays makes as many deliveries as the job's rate and the deliveries
// that already wait for their turn allow.
func (e *Engine) makeReplays(ctx context.Context, job db.RunningReplay, run *replayRun) error {
	if run.credit < 1 {
		return nil
	}
	waiting, err := e.Store.ReplayWaiting(ctx, job.ID)
	if err != nil {
		return err
	}
	ahead := max(int(float64(job.RateLimit)*replayAhead.Seconds()), 2)
	n := min(int(run.credit), ahead-waiting)
	for n > 0 && ctx.Err() == nil {
		step, err := e.Store.NextReplayPage(ctx, job.ID, n)
		if err != nil {
			return err
		}
		n -= step.Made
		run.credit -= float64(step.Made)
		if len(step.Endpoints) > 0 {
			e.hints.add(step.Endpoints...)
			e.poke()
		}
		if step.Drained || step.Stopped || step.Made+step.Skipped == 0 {
			return nil
		}
	}
	return nil
}
