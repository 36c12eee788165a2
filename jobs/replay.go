package jobs

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

const (
	// replayTick is how often deliveries are made: so often that each time
	// only a few are, and live ones do not wait long for the database.
	replayTick = 50 * time.Millisecond
	// replayLook is how often a job is looked at: for how long it goes unnoticed
	// that it was paused.
	replayLook = 100 * time.Millisecond
	// replayBurst is for how long a job may catch up what it did not make.
	replayBurst = 250 * time.Millisecond
	// replayAhead is for how long deliveries are made ahead of the senders.
	replayAhead = 2 * time.Second
	// replayCheck is how often a job is judged: its brake must bite soon, but
	// looking at the newest attempts is not free.
	replayCheck = 250 * time.Millisecond
)

// replayRun is a job during one slice.
type replayRun struct {
	*db.ReplayWalk
	id      relay.ID
	to      []relay.ID
	rate    float64 // deliveries a second
	room    int     // how many may be made until it is looked at again
	credit  float64 // deliveries that may be made now
	at      time.Time
	checked time.Time
}

// state is what the next slice goes on with: the credit, and of when it is.
func (r *replayRun) state() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(r.credit*1000))
	return binary.BigEndian.AppendUint64(b, uint64(r.at.UnixMicro()))
}

func (r *replayRun) restore(state []byte) {
	if len(state) == 16 {
		r.credit = float64(binary.BigEndian.Uint64(state)) / 1000
		r.at = time.UnixMicro(int64(binary.BigEndian.Uint64(state[8:])))
	}
}

// replaySlice plans a replay job; then it makes its deliveries at its rate, and
// lets them follow what somebody did to it.
func (e *Engine) replaySlice(ctx context.Context, s *slice) (after, error) {
	job, err := e.Store.RunningReplay(ctx, s.id)
	if err != nil {
		return after{}, err
	}
	if job.Planning {
		_, err := e.Store.ContinuePlan(ctx, s.id, s.enough)
		return after{more: true}, err
	}
	run := &replayRun{id: s.id, ReplayWalk: e.Store.WalkReplay(s.id), at: e.Now()}
	run.restore(s.State)
	if run.to, err = e.Store.ReplayTargets(ctx, s.id); err != nil {
		return after{}, err
	}
	tick := time.NewTimer(0)
	defer tick.Stop()
	var looked time.Time
	for {
		select {
		case <-ctx.Done():
			return after{more: true, state: run.state()}, nil
		case <-tick.C:
		}
		if now := e.Now(); now.Sub(looked) >= replayLook {
			looked = now
			if going, err := e.lookAtReplay(ctx, run); err != nil || !going {
				return after{}, err
			}
		}
		if err := e.makeReplays(ctx, run); err != nil {
			return after{}, err
		}
		if s.enough() {
			return after{more: true, state: run.state()}, nil
		}
		next := replayLook
		if run.rate*replayTick.Seconds() >= 1 {
			next = replayTick
		}
		tick.Reset(next)
	}
}

// lookAtReplay finds out what a job may do next, and whether anything at all.
func (e *Engine) lookAtReplay(ctx context.Context, run *replayRun) (going bool, err error) {
	job, err := e.Store.RunningReplay(ctx, run.id)
	if err != nil {
		return false, err
	}
	if job.Settling {
		if err := e.Store.SettleReplay(ctx, run.id); err != nil {
			return false, err
		}
		e.look()
	}
	run.rate, run.room = 0, 0
	if !job.Running {
		return job.Settling, nil
	}
	if now := e.Now(); now.Sub(run.checked) >= replayCheck {
		run.checked = now
		if status, err := e.Store.CheckReplay(ctx, run.id); err != nil || status != relay.ReplayRunning {
			return err == nil, err
		}
	}
	run.rate = float64(job.RateLimit)
	ahead := max(int(run.rate*replayAhead.Seconds()), 2)
	waiting, err := e.Store.ReplayWaiting(ctx, run.id, run.to, ahead)
	run.room = ahead - waiting
	return true, err
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
		step, err := run.Next(ctx, n)
		if err != nil {
			return err
		}
		e.metrics.made.Add(float64(step.Made))
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
