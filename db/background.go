package db

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// background is for what can wait: what replay jobs make and what is recorded of
// it, plans, retention, what is pruned and discarded. One such thing is written at
// a time in a process, a few rows in each transaction, and after each it yields for
// as long as the transaction took. So live work has half of the database to itself
// at least, in whichever process it is, and nobody has to know of it.
type background struct{ turn chan struct{} } // a semaphore of one

func newBackground() *background { return &background{make(chan struct{}, 1)} }

// yieldMost is for how long background work yields at most: a disk that stalls
// does not stop it.
const yieldMost = 50 * time.Millisecond

// do runs a short transaction when it is its turn, and yields.
func (b *background) do(ctx context.Context, fn func() error) error {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.turn }()
	began := time.Now()
	err := fn()
	rest := time.NewTimer(min(time.Since(began), yieldMost))
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-ctx.Done():
	}
	return err
}

// later is write for what can wait.
func (s *Store) later(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	return s.background.do(ctx, func() error { return s.write(ctx, fn) })
}

const (
	// gatherTime is for how long the background writer waits for more, and
	// gatherRows how many it waits no longer with.
	gatherTime = 25 * time.Millisecond
	gatherRows = 32
)

// backgroundWriter is a batch writer for what can wait. What it is given is done
// when sync has succeeded after its transaction.
type backgroundWriter struct {
	*batchWriter
	background *background
	rows       int // in one transaction
	sync       func(context.Context) error
}

func newBackgroundWriter(b *background, rows int, commit func(context.Context, []commitItem) error, sync func(context.Context) error) *backgroundWriter {
	return &backgroundWriter{newBatchWriter(commit), b, rows, sync}
}

func (w *backgroundWriter) start(ctx context.Context) *backgroundWriter {
	w.done.Go(func() { w.run(ctx) })
	return w
}

func (w *backgroundWriter) run(ctx context.Context) {
	var batch []commitItem
	for item := range w.queue {
		batch = w.fill(w.gather(append(batch[:0], item)))
		w.flush(ctx, batch)
		clear(batch)
	}
}

func (w *backgroundWriter) gather(batch []commitItem) []commitItem {
	enough := time.NewTimer(gatherTime)
	defer enough.Stop()
	for len(batch) < gatherRows {
		select {
		case item, open := <-w.queue:
			if !open {
				return batch
			}
			batch = append(batch, item)
		case <-enough.C:
			return batch
		}
	}
	return batch
}

func (w *backgroundWriter) flush(ctx context.Context, batch []commitItem) {
	var outcomes []error
	for some := range slices.Chunk(batch, w.rows) {
		_ = w.background.do(context.WithoutCancel(ctx), func() error { // each item has its own outcome
			outcomes = append(outcomes, w.try(ctx, some)...)
			return nil
		})
	}
	unsynced := translate(w.sync(ctx))
	for i, item := range batch {
		if outcomes[i] == nil {
			outcomes[i] = unsynced
		}
		item.finish(outcomes[i])
	}
}
