package db

import (
	"context"
	"slices"
	"time"
)

const (
	// patience is for how long what can wait does so for more of its kind, and
	// patientRows how many of it wait no longer.
	patience    = 25 * time.Millisecond
	patientRows = 32
	// patientPieces is how many transactions a batch takes at most.
	patientPieces = 8
)

// patientCommitter commits what can wait, many together and with courtesy:
// replays are not to make live requests wait for the database.
type patientCommitter struct {
	*committer
	polite *courtesy
	piece  int // rows that one transaction takes
	sync   func(context.Context) error
}

// newPatientCommitter makes one whose items are done when sync has succeeded
// after their transaction: where transactions cannot run beside live ones they
// are short, and all wait for the disk together.
func newPatientCommitter(polite *courtesy, piece int, commit func(context.Context, []commitItem) error, sync func(context.Context) error) *patientCommitter {
	return &patientCommitter{newCommitter(commit), polite, piece, sync}
}

func (c *patientCommitter) start(ctx context.Context) *patientCommitter {
	c.done.Go(func() { c.run(ctx) })
	return c
}

func (c *patientCommitter) run(ctx context.Context) {
	var batch []commitItem
	for item := range c.queue {
		batch = c.fill(c.gather(append(batch[:0], item)))
		c.flush(ctx, batch)
		clear(batch)
	}
}

func (c *patientCommitter) gather(batch []commitItem) []commitItem {
	ripe := time.NewTimer(patience)
	defer ripe.Stop()
	for len(batch) < patientRows {
		select {
		case item, open := <-c.queue:
			if !open {
				return batch
			}
			batch = append(batch, item)
		case <-ripe.C:
			return batch
		}
	}
	return batch
}

// flush commits a batch in pieces and gives way before each.
func (c *patientCommitter) flush(ctx context.Context, batch []commitItem) {
	began := time.Now()
	var outcomes []error
	for piece := range slices.Chunk(batch, max(c.piece, len(batch)/patientPieces)) {
		c.polite.turn.Lock()
		c.polite.giveWay(ctx, courtesyMost-time.Since(began))
		outcomes = append(outcomes, c.try(ctx, piece)...)
		c.polite.turn.Unlock()
	}
	c.polite.giveWay(ctx, courtesyMost-time.Since(began))
	unsynced := translate(c.sync(ctx))
	for i, item := range batch {
		if outcomes[i] == nil {
			outcomes[i] = unsynced
		}
		item.finish(outcomes[i])
	}
}
