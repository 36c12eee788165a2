package db

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
)

type note struct{ done chan error }

func (n *note) Weight() int    { return 1 }
func (n *note) Finish(e error) { n.done <- e }

// commits are how many items each commit of a batchWriter had.
type commits struct {
	sizes  []int
	syncs  int
	refuse sqldb.CommitItem // no commit with it succeeds
	broken error            // of sync
}

var errRefused = errors.New("refused")

func (c *commits) commit(_ context.Context, batch []sqldb.CommitItem) error {
	c.sizes = append(c.sizes, len(batch))
	if slices.Contains(batch, c.refuse) {
		return errRefused
	}
	return nil
}

func (c *commits) sync(context.Context) error {
	c.syncs++
	return c.broken
}

func submit(t *testing.T, c *sqldb.BatchWriter, n int) []*note {
	t.Helper()
	notes := make([]*note, n)
	for i := range notes {
		notes[i] = &note{make(chan error, 1)}
		check(t, c.Submit(t.Context(), notes[i]))
	}
	synctest.Wait()
	return notes
}

func doneOf(notes []*note) (n int) {
	for _, note := range notes {
		n += len(note.done)
	}
	return n
}

func TestBackgroundItemsAreCommittedTogetherAndDoneWhenOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got commits
		c := sqldb.NewBackgroundWriter(sqldb.NewBackground(), 2, got.commit, got.sync).Start(t.Context())
		few := submit(t, c.BatchWriter, 3)
		equal(t, "of few done at once", doneOf(few), 0)
		<-time.After(sqldb.GatherTime)
		synctest.Wait()
		equal(t, "of few done later", doneOf(few), 3)
		equal(t, "transactions", len(got.sizes), 2)
		equal(t, "waits for the disk", got.syncs, 1)

		equal(t, "of many done at once", doneOf(submit(t, c.BatchWriter, sqldb.GatherRows)), sqldb.GatherRows)
		equal(t, "waits for the disk", got.syncs, 2)

		got.broken = errRefused
		last := submit(t, c.BatchWriter, 1)
		c.Close()
		if err := <-last[0].done; !errors.Is(err, errRefused) {
			t.Errorf("what did not get to the disk ends with %v", err)
		}
	})
}

func TestOnlyTheItemThatIsRefusedFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got commits
		c := sqldb.NewBackgroundWriter(sqldb.NewBackground(), 4, got.commit, got.sync).Start(t.Context())
		notes := make([]*note, 6)
		for i := range notes {
			notes[i] = &note{make(chan error, 1)}
		}
		got.refuse = notes[1]
		for _, n := range notes {
			check(t, c.Submit(t.Context(), n))
		}
		c.Close()
		for i, n := range notes {
			if err := <-n.done; (err != nil) != (i == 1) {
				t.Errorf("item %d: %v", i, err)
			}
		}
		if want := []int{4, 1, 1, 1, 1, 2}; !slices.Equal(got.sizes, want) {
			t.Errorf("transactions of %v items, want %v", got.sizes, want)
		}
	})
}

// TestBackgroundYields: one at a time, and each pauses for as long as it took.
func TestBackgroundYields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sqldb.NewBackground()
		began := time.Now()
		var over [2]time.Duration
		take := func(i int, d time.Duration) func() {
			return func() {
				check(t, b.Do(t.Context(), func() error { <-time.After(d); return nil }))
				over[i] = time.Since(began)
			}
		}
		var both sync.WaitGroup
		both.Go(take(0, 4*time.Millisecond))
		synctest.Wait()
		both.Go(take(1, time.Second))
		both.Wait()
		if want := [2]time.Duration{8 * time.Millisecond, 1008*time.Millisecond + sqldb.YieldMost}; over != want {
			t.Errorf("over after %v, want %v", over, want)
		}
	})
}
