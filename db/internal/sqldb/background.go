package sqldb

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// Background is for what can wait: what replay jobs make and what is recorded of
// it, plans, retention, what is pruned and discarded. One such thing is written at
// a time in a process, a few rows in each transaction, and after each it yields for
// as long as the transaction took. So live work has half of the database to itself
// at least, in whichever process it is, and nobody has to know of it.
type Background struct{ turn chan struct{} } // a semaphore of one

// NewBackground is for one process and its database.
func NewBackground() *Background { return &Background{make(chan struct{}, 1)} }

// YieldMost is for how long background work yields at most: a disk that stalls
// does not stop it.
const YieldMost = 50 * time.Millisecond

// Do runs a short transaction when it is its turn, and yields.
func (b *Background) Do(ctx context.Context, fn func() error) error {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.turn }()
	began := time.Now()
	err := fn()
	rest := time.NewTimer(min(time.Since(began), YieldMost))
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-ctx.Done():
	}
	return err
}

// Later is write for what can wait.
func (s *DB) Later(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	return s.Background.Do(ctx, func() error { return s.Write(ctx, fn) })
}

// How long the background writer gathers.
const (
	// GatherTime is for how long the background writer waits for more, and
	// GatherRows how many it waits no longer with.
	GatherTime = 25 * time.Millisecond
	GatherRows = 32
)

// BackgroundWriter is a batch writer for what can wait. What it is given is done
// when sync has succeeded after its transaction.
type BackgroundWriter struct {
	*BatchWriter
	background *Background
	rows       int // in one transaction
	sync       func(context.Context) error
}

// NewBackgroundWriter makes a writer of so many rows in a transaction; Start sets it going.
func NewBackgroundWriter(b *Background, rows int, commit func(context.Context, []CommitItem) error, sync func(context.Context) error) *BackgroundWriter {
	return &BackgroundWriter{NewBatchWriter(commit), b, rows, sync}
}

// Start writes until Close.
func (w *BackgroundWriter) Start(ctx context.Context) *BackgroundWriter {
	w.done.Go(func() { w.run(ctx) })
	return w
}

func (w *BackgroundWriter) run(ctx context.Context) {
	var batch []CommitItem
	for item := range w.queue {
		batch = w.fill(w.gather(append(batch[:0], item)))
		w.flush(ctx, batch)
		clear(batch)
	}
}

func (w *BackgroundWriter) gather(batch []CommitItem) []CommitItem {
	enough := time.NewTimer(GatherTime)
	defer enough.Stop()
	for len(batch) < GatherRows {
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

func (w *BackgroundWriter) flush(ctx context.Context, batch []CommitItem) {
	var outcomes []error
	for some := range slices.Chunk(batch, w.rows) {
		_ = w.background.Do(context.WithoutCancel(ctx), func() error { // each item has its own outcome
			outcomes = append(outcomes, w.try(ctx, some)...)
			return nil
		})
	}
	unsynced := Translate(w.sync(ctx))
	for i, item := range batch {
		if outcomes[i] == nil {
			outcomes[i] = unsynced
		}
		item.Finish(outcomes[i])
	}
}
