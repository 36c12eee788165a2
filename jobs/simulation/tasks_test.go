package simulation

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/reprise-dev/reprise/jobs"
)

// broker carries the tasks of all processes, as badly as it may: it loses some,
// doubles some and is late with others.
type broker struct {
	world  *world
	mu     sync.Mutex
	queues map[string][]jobs.Task
	ids    map[string]bool
	served map[string][]*process // who serves a queue, or did
	rung   chan struct{}         // closed, and made anew, when there is something
}

func newBroker(w *world) *broker {
	return &broker{world: w, queues: map[string][]jobs.Task{}, ids: map[string]bool{}, served: map[string][]*process{}, rung: make(chan struct{})}
}

func (b *broker) put(t jobs.Task) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.ID != "" {
		if b.ids[t.ID] {
			return
		}
		b.ids[t.ID] = true
	}
	b.queues[t.Queue] = append(b.queues[t.Queue], t)
	close(b.rung)
	b.rung = make(chan struct{})
}

// take takes a task out of one of some queues; if there is none, more is closed
// when that may have changed.
func (b *broker) take(queues map[string]int) (t jobs.Task, ok bool, more chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for queue := range queues {
		if waiting := b.queues[queue]; len(waiting) > 0 {
			b.queues[queue] = waiting[1:]
			delete(b.ids, waiting[0].ID)
			return waiting[0], true, nil
		}
	}
	return jobs.Task{}, false, b.rung
}

// empty loses everything.
func (b *broker) empty() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.queues)
	clear(b.ids)
}

// left is how many tasks lie in queues whose process lives; those of others are
// swept away after a minute.
func (b *broker) left() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for queue, waiting := range b.queues {
		if slices.ContainsFunc(b.world.processes, func(p *process) bool { return slices.Contains(b.served[queue], p) }) {
			n += len(waiting)
		}
	}
	return n
}

// tasks is jobs.Tasks of one process.
type tasks struct {
	process *process
	working sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelFunc
}

func newTasks(p *process) *tasks {
	ctx, cancel := context.WithCancel(context.Background())
	return &tasks{process: p, ctx: ctx, cancel: cancel}
}

func (q *tasks) Enqueue(_ context.Context, t jobs.Task) error {
	if err := q.Check(q.ctx); err != nil {
		return err
	}
	b, w := q.process.world.broker, q.process.world
	switch chance := w.roll(100); {
	case w.settled.Load() || chance >= 15:
		b.put(t)
	case chance < 5: // it is lost
	case chance < 10:
		b.put(t)
		again := t
		again.ID = ""
		b.put(again)
	default:
		time.AfterFunc(time.Duration(w.roll(5000))*time.Millisecond, func() { b.put(t) })
	}
	return nil
}

func (q *tasks) Serve(queues map[string]int, concurrency int, handle func(jobs.Task)) error {
	b := q.process.world.broker
	b.mu.Lock()
	for queue := range queues {
		b.served[queue] = append(b.served[queue], q.process)
	}
	b.mu.Unlock()
	places := make(chan struct{}, concurrency)
	q.working.Go(func() {
		for {
			t, ok, more := b.take(queues)
			if !ok {
				select {
				case <-more:
					continue
				case <-q.ctx.Done():
					return
				}
			}
			places <- struct{}{}
			q.working.Go(func() {
				defer func() { <-places }()
				if q.process.runs(q.ctx) == nil {
					handle(t)
				}
			})
		}
	})
	return nil
}

func (q *tasks) Check(context.Context) error {
	if q.process.alive() != nil || q.process.world.noRedis.Load() {
		return net.ErrClosed
	}
	return nil
}

func (q *tasks) Sweep(_ context.Context, gone func(string) bool) error {
	b := q.process.world.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	for queue := range b.queues {
		if gone(queue) {
			delete(b.queues, queue)
		}
	}
	return nil
}

func (q *tasks) Drop(ctx context.Context, queue string) error {
	return q.Sweep(ctx, func(name string) bool { return name == queue })
}

func (q *tasks) Stop()  { q.cancel() }
func (q *tasks) Close() { q.working.Wait() }
