package jobs

import (
	"context"
	"encoding/binary"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"

	"github.com/reprise-dev/reprise/relay"
)

// The queues of asynq. Each process that sends also has one of its own, named
// after queueDeliver and its id.
const (
	queueDeliver     = "deliver"
	queueReplay      = "replay"
	queueMaintenance = "maintenance"
)

func ownQueue(owner int64) string { return queueDeliver + ":" + strconv.FormatInt(owner, 36) }

const (
	typeDeliver = "deliver"
	// batchSize is how many deliveries a task is for at most: each task costs
	// Redis as much as a delivery costs the database.
	batchSize   = 32
	enqueueTime = 2 * time.Second
)

// work is what a task says that there may be: deliveries in the hands of this
// process or, with an endpoint, some of its that are due.
type work struct {
	endpoint relay.ID
	replay   bool
	most     int
}

const (
	handBytes = 2
	dueBytes  = len(relay.ID{}) + 1 + handBytes
)

// pack is a task's payload.
func (w work) pack() []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, dueBytes), uint16(w.most))
	if w.endpoint.IsZero() {
		return b
	}
	lane := byte(0)
	if w.replay {
		lane = 1
	}
	return append(append(b, lane), w.endpoint[:]...)
}

// unpackWork reads a payload that anybody with access to Redis could have
// written; what it names is claimed in SQL before anything is done.
func unpackWork(b []byte) (w work, ok bool) {
	switch len(b) {
	case handBytes:
	case dueBytes:
		w.replay, w.endpoint = b[handBytes] == 1, relay.ID(b[handBytes+1:])
	default:
		return work{}, false
	}
	w.most = min(int(binary.BigEndian.Uint16(b)), batchSize)
	return w, true
}

// asked gathers what there may be to do, so that many become one task.
type asked struct {
	mu   sync.Mutex
	hand int
	due  map[work]struct{}
	rung chan struct{}
}

func newAsked() *asked { return &asked{due: map[work]struct{}{}, rung: make(chan struct{}, 1)} }

// inHand says that n more deliveries are in hand.
func (a *asked) inHand(n int) {
	a.mu.Lock()
	a.hand += n
	a.mu.Unlock()
	a.ring()
}

// isDue says that an endpoint has deliveries that are due.
func (a *asked) isDue(endpoint relay.ID, replay bool) {
	a.mu.Lock()
	a.due[work{endpoint, replay, batchSize}] = struct{}{}
	a.mu.Unlock()
	a.ring()
}

func (a *asked) ring() {
	select {
	case a.rung <- struct{}{}:
	default:
	}
}

// drain answers tasks for everything that was asked for.
func (a *asked) drain() []work {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []work
	for ; a.hand > 0; a.hand -= batchSize {
		out = append(out, work{most: min(a.hand, batchSize)})
	}
	a.hand = 0
	for w := range a.due {
		out = append(out, w)
	}
	clear(a.due)
	return out
}

// run hands what is asked for to give, one after the other, until ctx ends.
func (a *asked) run(ctx context.Context, give func(work)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.rung:
		}
		for _, w := range a.drain() {
			give(w)
		}
	}
}

// enqueue gives asynq a task that is tried once.
func enqueue(ctx context.Context, client *asynq.Client, queue string, task *asynq.Task) error {
	ctx, cancel := context.WithTimeout(ctx, enqueueTime)
	defer cancel()
	_, err := client.EnqueueContext(ctx, task, asynq.Queue(queue), asynq.MaxRetry(0), asynq.Timeout(time.Hour))
	return err
}

// scanCount is how many keys Redis looks at in one go: it serves nobody else
// meanwhile.
const scanCount = 1000

// dropQueue removes a queue of a process that is gone, with what lies in it: what
// its tasks spoke of is found in SQL.
func (e *Engine) dropQueue(ctx context.Context, queue string) {
	ctx, cancel := context.WithTimeout(ctx, enqueueTime)
	defer cancel()
	keys := e.Redis.Scan(ctx, 0, "asynq:{"+queue+"}:*", scanCount).Iterator()
	for keys.Next(ctx) {
		_ = e.Redis.Del(ctx, keys.Val()).Err() // what stays is looked for again
	}
	err := keys.Err()
	if err == nil {
		err = e.Redis.SRem(ctx, "asynq:queues", queue).Err()
	}
	if err != nil {
		e.Log.Debug("removing a queue", "queue", queue, "error", err)
	}
}

// asynqLog passes asynq's warnings on, at most one a second.
type asynqLog struct {
	log  *slog.Logger
	last atomic.Int64
}

func (l *asynqLog) say(level slog.Level, args []any) {
	now := time.Now().Unix()
	if len(args) == 0 || l.last.Swap(now) == now {
		return
	}
	l.log.Log(context.Background(), level, "asynq", "message", args[0])
}

func (l *asynqLog) Debug(...any)      {}
func (l *asynqLog) Info(...any)       {}
func (l *asynqLog) Warn(args ...any)  { l.say(slog.LevelWarn, args) }
func (l *asynqLog) Error(args ...any) { l.say(slog.LevelError, args) }
func (l *asynqLog) Fatal(args ...any) { l.say(slog.LevelError, args) }
