package sqldb

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

const (
	// CommitRows and commitBytes bound one shared commit.
	CommitRows  = 200
	commitBytes = 8 << 20
	// CommitTime is how long one commit may take before its requests are
	// refused: longer than SQLite's busy timeout, shorter than a provider's patience.
	CommitTime = 6 * time.Second
)

// CommitItem is one request that waits for a shared commit.
type CommitItem interface {
	Weight() int // bytes, roughly
	Finish(error)
}

// BatchWriter makes many requests share one commit, without ever waiting for
// more of them: what queued up while the last commit ran goes into the next.
type BatchWriter struct {
	queue  chan CommitItem
	commit func(context.Context, []CommitItem) error
	mu     sync.RWMutex
	closed bool
	done   sync.WaitGroup
}

// NewBatchWriter makes a writer; Start sets it going.
func NewBatchWriter(commit func(context.Context, []CommitItem) error) *BatchWriter {
	return &BatchWriter{queue: make(chan CommitItem, 4*CommitRows), commit: commit}
}

// Start writes with so many transactions at a time, until Close.
func (c *BatchWriter) Start(ctx context.Context, workers int) *BatchWriter {
	for range workers {
		c.done.Go(func() { c.run(ctx) })
	}
	return c
}

var errClosing = &relay.Error{Kind: relay.KindUnavailable, Detail: "The server is stopping.", RetryAfter: time.Second}

// Submit queues an item; its finish is called exactly once if submit returns
// nil and the item is not given up, and never otherwise.
func (c *BatchWriter) Submit(ctx context.Context, item CommitItem) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return errClosing
	}
	select {
	case c.queue <- item:
		return nil
	case <-ctx.Done():
		return Unavailable(ctx.Err())
	}
}

// Close takes no more and waits for what it has.
func (c *BatchWriter) Close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.queue)
	}
	c.mu.Unlock()
	c.done.Wait()
}

func (c *BatchWriter) run(ctx context.Context) {
	var batch []CommitItem
	for item := range c.queue {
		batch = slices.DeleteFunc(c.fill(append(batch[:0], item)), abandoned)
		if len(batch) == 0 {
			continue
		}
		for i, err := range c.try(ctx, batch) {
			batch[i].Finish(err)
		}
		clear(batch)
	}
}

// abandonable is an item that whoever waits for it may give up.
type abandonable interface {
	// Begin reports whether somebody still waits; from then on nobody can give it up.
	Begin() bool
}

func abandoned(item CommitItem) bool {
	a, ok := item.(abandonable)
	return ok && !a.Begin()
}

// fill adds what is in the queue, up to what one commit may hold.
func (c *BatchWriter) fill(batch []CommitItem) []CommitItem {
	weight := 0
	for _, item := range batch {
		weight += item.Weight()
	}
	for len(batch) < CommitRows && weight < commitBytes {
		select {
		case item, open := <-c.queue:
			if !open {
				return batch
			}
			batch = append(batch, item)
			weight += item.Weight()
		default:
			return batch
		}
	}
	return batch
}

// try commits a batch and answers what came of each item. If the database
// refuses it although it works, one item is at fault: each is then tried
// alone, so that only that one fails.
func (c *BatchWriter) try(ctx context.Context, batch []CommitItem) []error {
	outcomes := make([]error, len(batch))
	err := c.attempt(ctx, batch)
	alone := err != nil && len(batch) > 1 && relay.KindOf(err) != relay.KindUnavailable
	for i := range batch {
		if outcomes[i] = err; alone {
			outcomes[i] = c.attempt(ctx, batch[i:i+1])
		}
	}
	return outcomes
}

func (c *BatchWriter) attempt(ctx context.Context, batch []CommitItem) error {
	ctx, cancel := context.WithTimeout(ctx, CommitTime)
	defer cancel()
	err := c.commit(ctx, batch)
	if err != nil && IsDeadlock(err) {
		err = c.commit(ctx, batch)
	}
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return Unavailable(err)
	}
	return Translate(err)
}
