package db

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

const (
	// commitRows and commitBytes bound one shared commit.
	commitRows  = 200
	commitBytes = 8 << 20
	// commitTime is how long one commit may take before its requests are
	// refused: longer than SQLite's busy timeout, shorter than a provider's patience.
	commitTime = 6 * time.Second
)

// commitItem is one request that waits for a shared commit.
type commitItem interface {
	weight() int // bytes, roughly
	finish(error)
}

// committer makes many requests share one commit, without ever waiting for
// more of them: what queued up while the last commit ran goes into the next.
type committer[T commitItem] struct {
	queue  chan T
	commit func(context.Context, []T) error
	mu     sync.RWMutex
	closed bool
	done   sync.WaitGroup
}

func newCommitter[T commitItem](ctx context.Context, workers int, commit func(context.Context, []T) error) *committer[T] {
	c := &committer[T]{queue: make(chan T, 4*commitRows), commit: commit}
	for range workers {
		c.done.Go(func() { c.run(ctx) })
	}
	return c
}

var errClosing = &relay.Error{Kind: relay.KindUnavailable, Detail: "The server is stopping.", RetryAfter: time.Second}

// submit queues an item; its finish is called exactly once if submit returns
// nil, and never otherwise.
func (c *committer[T]) submit(ctx context.Context, item T) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return errClosing
	}
	select {
	case c.queue <- item:
		return nil
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}

func (c *committer[T]) close() {
	c.mu.Lock()
	c.closed = true
	close(c.queue)
	c.mu.Unlock()
	c.done.Wait()
}

func (c *committer[T]) run(ctx context.Context) {
	var batch []T
	for first := range c.queue {
		batch = append(batch[:0], first)
		weight := first.weight()
	fill:
		for len(batch) < commitRows && weight < commitBytes {
			select {
			case item, open := <-c.queue:
				if !open {
					break fill
				}
				batch = append(batch, item)
				weight += item.weight()
			default:
				break fill
			}
		}
		c.flush(ctx, batch)
		clear(batch)
	}
}

// flush commits a batch. If the database refuses it although it works, one
// item is at fault: each is then tried alone, so that only that one fails.
func (c *committer[T]) flush(ctx context.Context, batch []T) {
	err := c.attempt(ctx, batch)
	if err == nil || len(batch) == 1 || relay.KindOf(err) == relay.KindUnavailable {
		for _, item := range batch {
			item.finish(err)
		}
		return
	}
	for i := range batch {
		batch[i].finish(c.attempt(ctx, batch[i:i+1]))
	}
}

func (c *committer[T]) attempt(ctx context.Context, batch []T) error {
	ctx, cancel := context.WithTimeout(ctx, commitTime)
	defer cancel()
	err := c.commit(ctx, batch)
	if err != nil && isDeadlock(err) {
		err = c.commit(ctx, batch)
	}
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return unavailable(err)
	}
	return translate(err)
}

func (s *Store) startCommitters(ctx context.Context) {
	receivers, recorders := 1, 1
	if s.pg {
		receivers, recorders = 2, 2
	}
	s.receiver = newCommitter(ctx, receivers, s.commitReceptions)
	s.recorder = newCommitter(ctx, recorders, s.commitRecordings)
}
