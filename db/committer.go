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
	// patience is how long a patient item waits for others like it, and
	// patientRows how many of them hold up the items that are not.
	patience    = 10 * time.Millisecond
	patientRows = 16
)

// commitItem is one request that waits for a shared commit.
type commitItem interface {
	weight() int // bytes, roughly
	// patient items are committed a little later, together: replays, which
	// are not to make live requests wait for the database.
	patient() bool
	finish(error)
}

// committer makes many requests share one commit, without ever waiting for
// more of them: what queued up while the last commit ran goes into the next.
type committer struct {
	queue  chan commitItem
	commit func(context.Context, []commitItem) error
	polite *courtesy
	mu     sync.RWMutex
	closed bool
	done   sync.WaitGroup
}

func newCommitter(ctx context.Context, workers int, polite *courtesy, commit func(context.Context, []commitItem) error) *committer {
	c := &committer{queue: make(chan commitItem, 4*commitRows), polite: polite, commit: commit}
	for range workers {
		c.done.Go(func() { c.run(ctx) })
	}
	return c
}

var errClosing = &relay.Error{Kind: relay.KindUnavailable, Detail: "The server is stopping.", RetryAfter: time.Second}

// submit queues an item; its finish is called exactly once if submit returns
// nil, and never otherwise.
func (c *committer) submit(ctx context.Context, item commitItem) error {
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

func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	close(c.queue)
	c.mu.Unlock()
	c.done.Wait()
}

func (c *committer) run(ctx context.Context) {
	var batch, later []commitItem
	var ripe <-chan time.Time // nil: nothing waits
	var since time.Time       // when the first of later came
	for open := true; open || len(later) > 0; {
		due := false
		select {
		case item, ok := <-c.queue:
			if open = ok; ok {
				batch, later = c.fill(item, batch[:0], later)
				c.flush(ctx, batch)
				clear(batch)
			}
		case <-ripe:
			due = true
		}
		switch n := min(len(later), patientRows); {
		case n == 0 || open && !due && n < patientRows:
		case open && c.polite.busy() && time.Since(since) < courtesyMost:
			ripe = time.After(courtesyStep)
		default:
			c.polite.turn.Lock()
			c.flush(ctx, later[:n])
			c.polite.turn.Unlock()
			later, ripe = slices.Delete(later, 0, n), nil
		}
		if len(later) > 0 && ripe == nil {
			ripe, since = time.After(patience), time.Now()
		}
	}
}

// fill takes what is in the queue, up to what one commit may hold.
func (c *committer) fill(item commitItem, batch, later []commitItem) (now, patient []commitItem) {
	weight := 0
	for {
		if item.patient() {
			later = append(later, item)
		} else {
			batch = append(batch, item)
		}
		weight += item.weight()
		if len(batch) >= commitRows || len(later) >= patientRows || weight >= commitBytes {
			return batch, later
		}
		select {
		case next, open := <-c.queue:
			if !open {
				return batch, later
			}
			item = next
		default:
			return batch, later
		}
	}
}

// flush commits a batch. If the database refuses it although it works, one
// item is at fault: each is then tried alone, so that only that one fails.
func (c *committer) flush(ctx context.Context, batch []commitItem) {
	if len(batch) == 0 {
		return
	}
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

func (c *committer) attempt(ctx context.Context, batch []commitItem) error {
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

// startCommitters: on PostgreSQL transactions run beside each other; SQLite
// has one writer, which commits whatever there is together.
func (s *Store) startCommitters(ctx context.Context) {
	if s.pg {
		s.receiver = newCommitter(ctx, 2, s.courtesy, s.commitItems)
		s.recorder = newCommitter(ctx, 2, s.courtesy, s.commitItems)
		return
	}
	s.receiver = newCommitter(ctx, 1, s.courtesy, s.commitItems)
	s.recorder = s.receiver
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
	count := counters{}
	recordings, settled := recordingWorks(out, count)
	works = append(works, recordings...)
	if !slices.ContainsFunc(in, (*reception).deduplicates) {
		works = append(works, receptionWorks(in, count)...)
		if err := s.hot.once(ctx, d, append(works, count.works()...)...); err != nil {
			return err
		}
	} else if err := s.hot.phases(ctx, d, func(run func(...*work) error) error {
		if err := deduplicate(in, run); err != nil {
			return err
		}
		works = append(works, receptionWorks(in, count)...)
		return run(append(works, count.works()...)...)
	}); err != nil {
		return err
	}
	s.rejected.note(in)
	for i, r := range out {
		r.stale = !settled.hit[i]
	}
	return nil
}
