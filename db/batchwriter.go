package db

import (
	"context"
	"errors"
	"slices"
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

// batchWriter makes many requests share one commit, without ever waiting for
// more of them: what queued up while the last commit ran goes into the next.
type batchWriter struct {
	queue  chan commitItem
	commit func(context.Context, []commitItem) error
	mu     sync.RWMutex
	closed bool
	done   sync.WaitGroup
}

func newBatchWriter(commit func(context.Context, []commitItem) error) *batchWriter {
	return &batchWriter{queue: make(chan commitItem, 4*commitRows), commit: commit}
}

func (c *batchWriter) start(ctx context.Context, workers int) *batchWriter {
	for range workers {
		c.done.Go(func() { c.run(ctx) })
	}
	return c
}

var errClosing = &relay.Error{Kind: relay.KindUnavailable, Detail: "The server is stopping.", RetryAfter: time.Second}

// submit queues an item; its finish is called exactly once if submit returns
// nil and the item is not given up, and never otherwise.
func (c *batchWriter) submit(ctx context.Context, item commitItem) error {
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

func (c *batchWriter) close() {
	c.mu.Lock()
	c.closed = true
	close(c.queue)
	c.mu.Unlock()
	c.done.Wait()
}

func (c *batchWriter) run(ctx context.Context) {
	var batch []commitItem
	for item := range c.queue {
		batch = slices.DeleteFunc(c.fill(append(batch[:0], item)), abandoned)
		if len(batch) == 0 {
			continue
		}
		for i, err := range c.try(ctx, batch) {
			batch[i].finish(err)
		}
		clear(batch)
	}
}

// abandoned reports whether nobody waits for an item any more. From then on
// nobody can give it up.
func abandoned(item commitItem) bool {
	r, ok := item.(*reception)
	return ok && !r.taken.CompareAndSwap(false, true)
}

// fill adds what is in the queue, up to what one commit may hold.
func (c *batchWriter) fill(batch []commitItem) []commitItem {
	weight := 0
	for _, item := range batch {
		weight += item.weight()
	}
	for len(batch) < commitRows && weight < commitBytes {
		select {
		case item, open := <-c.queue:
			if !open {
				return batch
			}
			batch = append(batch, item)
			weight += item.weight()
		default:
			return batch
		}
	}
	return batch
}

// try commits a batch and answers what came of each item. If the database
// refuses it although it works, one item is at fault: each is then tried
// alone, so that only that one fails.
func (c *batchWriter) try(ctx context.Context, batch []commitItem) []error {
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

func (c *batchWriter) attempt(ctx context.Context, batch []commitItem) error {
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

// startWriters: on PostgreSQL transactions run beside each other; SQLite
// has one writer, which commits whatever there is together.
func (s *Store) startWriters(ctx context.Context) {
	s.receiver = newBatchWriter(s.commitItems)
	s.recorder = s.receiver
	if s.pg {
		s.recorder = newBatchWriter(s.commitItems).start(ctx, 2)
		s.receiver.start(ctx, 2)
	} else {
		s.receiver.start(ctx, 1)
	}
	s.replayed = newBackgroundWriter(s.background, s.hot.backgroundRows(), s.commitReplayed, s.hot.sync).start(ctx)
}

// commitItems writes a batch in one transaction.
func (s *Store) commitItems(ctx context.Context, batch []commitItem) error {
	var in []*reception
	var out []*recording
	var works []*work
	for _, item := range batch {
		switch item := item.(type) {
		case *reception:
			in = append(in, item)
		case *recording:
			out = append(out, item)
		case *claiming:
			works = append(works, &work{claiming: item})
		}
	}
	// A claim that is lost in a power cut only makes a delivery due again.
	d := durable
	if len(in)+len(out) == 0 {
		d = lazy
	}
	s.batches.Observe(float64(len(batch)))
	return s.commitBatch(ctx, d, in, recordingsOf(out), works)
}

// commitBatch writes what came in and what came of claims, and runs works before
// that. The counters come last, for others wait for their rows.
func (s *Store) commitBatch(ctx context.Context, d durability, in []*reception, out *recordings, works []*work) error {
	var err error
	if !out.inPhases() && !slices.ContainsFunc(in, (*reception).holdsKeys) {
		count := counters{}
		works = append(append(works, out.works(count)...), receptionWorks(in, count)...)
		err = s.hot.once(ctx, d, append(works, count.works()...)...)
	} else {
		err = s.hot.phases(ctx, d, func(run func(...*work) error) error {
			if err := deduplicate(in, run); err != nil {
				return err
			}
			if err := run(works...); err != nil {
				return err
			}
			count, moves := counters{}, replayMoves{}
			rest, err := out.begin(run, count, moves)
			if err != nil {
				return err
			}
			rest = append(append(rest, receptionWorks(in, count)...), count.works()...)
			return run(append(rest, s.countMoves(moves))...)
		})
	}
	if err != nil {
		return err
	}
	s.rejected.note(in)
	out.note()
	return nil
}
