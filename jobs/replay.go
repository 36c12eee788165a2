package jobs

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

const (
	// replayTick is how often deliveries are made: so often that each time
	// only a few are, and live ones do not wait long for the database.
	replayTick = 50 * time.Millisecond
	// replayLook is how often jobs are looked at: for how long it goes
	// unnoticed that one was paused.
	replayLook = 100 * time.Millisecond
	replayIdle = 250 * time.Millisecond // the same while none runs
	// replayLease is how long the process that runs a job may be silent
	// before another one takes it over.
	replayLease = 5 * time.Second
	// replayBurst is for how long a job may catch up what it did not make.
	replayBurst = 250 * time.Millisecond
	// replayAhead is for how long deliveries are made ahead of the senders.
	replayAhead = 2 * time.Second
	// replayCheck is how often a job is judged: its brake must bite soon, but
	// looking at the newest attempts is not free.
	replayCheck = 250 * time.Millisecond
)

// replayRun is a job that this process runs.
type replayRun struct {
	rate    float64 // deliveries a second; 0: it may make none
	room    int     // how many may be made until it is looked at again
	walk    *db.ReplayWalk
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
	var looked time.Time
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := e.Now(); now.Sub(looked) >= replayLook {
			looked = now
			e.lookAtReplays(ctx, runs)
		}
		next := replayIdle
		for id, run := range runs {
			next = min(next, replayLook)
			if run.rate*replayTick.Seconds() >= 1 {
				next = replayTick
			}
			if err := e.makeReplays(ctx, run); err != nil {
				e.warnReplay(ctx, id, err)
			}
		}
		tick.Reset(next)
	}
}

// lookAtReplays finds out which jobs there are, and what each may do next.
func (e *Engine) lookAtReplays(ctx context.Context, runs map[relay.ID]*replayRun) {
	open, err := e.Store.RunningReplays(ctx)
	if err != nil {
		if ctx.Err() == nil {
			e.Log.Warn("looking for replay jobs", "error", err)
		}
		return
	}
	alive := map[relay.ID]bool{}
	for _, job := range open {
		alive[job.ID] = true
		run := runs[job.ID]
		if run == nil {
			run = &replayRun{at: e.Now(), walk: e.Store.WalkReplay(job.ID)}
			runs[job.ID] = run
		}
		run.rate = 0
		if err := e.lookAtReplay(ctx, job, run); err != nil {
			e.warnReplay(ctx, job.ID, err)
		}
	}
	for id := range runs {
		if !alive[id] {
			delete(runs, id)
		}
	}
}

func (e *Engine) warnReplay(ctx context.Context, id relay.ID, err error) {
	if ctx.Err() == nil {
		e.Log.Warn("running a replay job", "replay_id", relay.PrefixReplay.Format(id), "error", err)
	}
}

func (e *Engine) lookAtReplay(ctx context.Context, job db.RunningReplay, run *replayRun) error {
	now := e.Now()
	if !e.Alone && run.leased.Sub(now) < replayLease/2 {
		mine, err := e.Store.TakeLease(ctx, "replay:"+job.ID.Hex(), e.owner, replayLease)
		if err != nil || !mine {
			return err
		}
		run.leased = now.Add(replayLease)
	}
	if job.Settling {
		if err := e.Store.SettleReplay(ctx, job.ID); err != nil {
			return err
		}
		e.look()
	}
	if !job.Running {
		return nil
	}
	if now.Sub(run.checked) >= replayCheck {
		run.checked = now
		if status, err := e.Store.CheckReplay(ctx, job.ID); err != nil || status != relay.ReplayRunning {
			return err
		}
	}
	waiting, err := e.Store.ReplayWaiting(ctx, job.ID)
	if err != nil {
		return err
	}
	run.rate = float64(job.RateLimit)
	run.room = max(int(run.rate*replayAhead.Seconds()), 2) - waiting
	return nil
}

// makeReplays makes as many deliveries as the job's rate and the deliveries
// that already wait for their turn allow.
func (e *Engine) makeReplays(ctx context.Context, run *replayRun) error {
	now := e.Now()
	run.credit = min(run.credit+run.rate*now.Sub(run.at).Seconds(), max(run.rate*replayBurst.Seconds(), 1))
	run.at = now
	for run.rate > 0 && ctx.Err() == nil {
		n := min(int(run.credit), run.room)
		if n < 1 {
			return nil
		}
		step, err := run.walk.Next(ctx, n, nil)
		if err != nil {
			return err
		}
		run.credit -= float64(step.Made)
		run.room -= step.Made
		for _, endpoint := range step.Endpoints {
			e.asked.isDue(endpoint, true)
		}
		if step.Drained || step.Stopped || step.Made+step.Skipped == 0 {
			return nil
		}
	}
	return nil
}
