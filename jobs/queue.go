package jobs

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"
	"sync"

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

// ofDeadProcess tells the queues of processes that are gone from all others.
func ofDeadProcess(alive []int64) func(queue string) bool {
	own := map[string]bool{}
	for _, id := range alive {
		own[ownQueue(id)] = true
	}
	return func(queue string) bool { return strings.HasPrefix(queue, queueDeliver+":") && !own[queue] }
}

const (
	typeDeliver = "deliver"
	// batchSize is how many deliveries a task is for at most: each task costs
	// Redis as much as a delivery costs the database.
	batchSize = 32
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

// task is a task in a queue that says that there may be such work.
func (w work) task(queue string) Task {
	return Task{Queue: queue, Kind: typeDeliver, Payload: w.pack()}
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
