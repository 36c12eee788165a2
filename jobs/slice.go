package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// Everything that takes long is done in slices: a task works for about a second
// under a lease in SQL, leaves in its row where it is, and makes the task of the
// next slice. So many things share the workers in turn, move from process to
// process, and go on wherever the last one stopped. A task that finds the lease
// taken does nothing.
const (
	typeSlice = "slice"
	sliceTime = time.Second
	// sliceLease is how long a slice may take at most; then another begins.
	sliceLease = 10 * time.Second
	// sliceRest is after how long something is tried again that failed.
	sliceRest = 5 * time.Second
	// mostSlices is how many a process works on at the same time; most of them wait
	// for their rate.
	mostSlices = 64
)

// slice is one turn at something long.
type slice struct {
	db.TaskLease
	id    relay.ID // of what it is about; zero: there is only one of its kind
	until time.Time
}

// enough reports whether the rest is for the next slice.
func (s *slice) enough() bool { return !time.Now().Before(s.until) }

// sliced does some of a kind of what is done in slices, and says what comes then.
type sliced func(context.Context, *slice) (after, error)

// after is what follows a slice: one more at once, one after a rest, or nothing.
// The next one finds state.
type after struct {
	more  bool
	rest  time.Duration
	state []byte
}

const (
	kindReplay    = "replay"
	kindRetention = "retention"
	kindPrune     = "prune"
	kindDiscard   = "discard"
	kindSeal      = "seal"
)

func (e *Engine) sliced() map[string]sliced {
	return map[string]sliced{
		kindReplay:    e.replaySlice,
		kindRetention: e.retentionSlice,
		kindPrune:     e.pruneSlice,
		kindDiscard:   e.discardSlice,
		kindSeal:      e.sealSlice,
	}
}

// sliceName names what a lease is of and, as a task's payload, what to do.
func sliceName(kind string, id relay.ID) string {
	if id.IsZero() {
		return kind
	}
	return kind + ":" + id.Hex()
}

// sliceTask is the task of a turn. Its id keeps it from being queued twice,
// for ten seconds: it may have been lost in the hands of a process that died.
func sliceTask(name string, step int64, now time.Time) Task {
	queue := queueMaintenance
	if strings.HasPrefix(name, kindReplay+":") {
		queue = queueReplay
	}
	return Task{Queue: queue, Kind: typeSlice, Payload: []byte(name), ID: fmt.Sprintf("%s:%d:%d", name, step, now.Unix()/10)}
}

// giveSlice makes the task of a turn, or takes it while Redis does not answer.
func (e *Engine) giveSlice(ctx context.Context, name string, step int64) {
	if e.redisOK.Load() {
		err := e.Tasks.Enqueue(ctx, sliceTask(name, step, e.Now()))
		if err == nil {
			return
		}
		e.lostRedis(err)
	}
	go e.doSlice(name)
}

// processSlice runs a task of a slice.
func (e *Engine) processSlice(task Task) {
	if task.Kind != typeSlice {
		e.Log.Warn("a task of an unknown kind was dropped", "kind", task.Kind)
		return
	}
	e.doSlice(string(task.Payload))
}

func (e *Engine) doSlice(name string) {
	kind, hex, _ := strings.Cut(name, ":")
	do, known := e.kinds[kind]
	var id relay.ID
	var err error
	if hex != "" {
		id, err = relay.ParseID(relay.PrefixReplay, hex)
	}
	if !known || err != nil {
		e.Log.Warn("a task of an unknown kind was dropped", "name", name)
		return
	}
	if !e.join() {
		return
	}
	defer e.sending.Done()
	turn, mine, err := e.Store.TakeTask(e.accept, name, e.owner, sliceLease)
	if err != nil || !mine {
		if err != nil && e.accept.Err() == nil {
			e.Log.Warn("beginning a slice", "name", name, "error", err)
		}
		return
	}
	s := &slice{TaskLease: turn, id: id, until: time.Now().Add(sliceTime)}
	next, err := e.runSlice(do, s)
	if err != nil {
		next = after{rest: sliceRest, state: turn.State}
		if e.accept.Err() == nil {
			e.Log.Warn("working on a slice", "name", name, "error", err)
		} else {
			next.rest = 0 // the next process goes on
		}
	}
	if next.more && next.state == nil {
		next.state = []byte{} // its row counts on
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.accept), 5*time.Second)
	defer cancel()
	if err := e.Store.LeaveTask(ctx, turn, next.state, next.rest); err != nil {
		e.Log.Warn("ending a slice; its lease lapses", "name", name, "error", err)
		return
	}
	if next.more && e.accept.Err() == nil {
		e.giveSlice(e.accept, name, turn.Step)
	}
}

func (e *Engine) runSlice(do sliced, s *slice) (next after, err error) {
	defer func() {
		if r := recover(); r != nil {
			e.Log.Error("a slice panicked", "name", s.Name, "panic", r, "stack", string(debug.Stack()))
			err = errors.New("it panicked")
		}
	}()
	return do(e.accept, s)
}
