package db

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

type note struct {
	waits bool
	done  chan error
}

func (n *note) weight() int    { return 1 }
func (n *note) patient() bool  { return n.waits }
func (n *note) finish(e error) { n.done <- e }

// commits are how many items each commit of a committer had.
type commits struct {
	mu    sync.Mutex
	sizes []int
}

func (c *commits) commit(_ context.Context, batch []commitItem) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sizes = append(c.sizes, len(batch))
	return nil
}

func submit(t *testing.T, c *committer, waits bool) *note {
	t.Helper()
	n := &note{waits, make(chan error, 1)}
	check(t, c.submit(t.Context(), n))
	synctest.Wait()
	return n
}

func TestPatientItemsAreCommittedTogetherAndDelayNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got commits
		c := newCommitter(t.Context(), 1, newCourtesy(), got.commit)
		first, second := submit(t, c, true), submit(t, c, true)
		urgent := submit(t, c, false)
		equal(t, "error of the urgent one", <-urgent.done, nil)
		equal(t, "patient ones that are done", len(first.done)+len(second.done), 0)
		<-time.After(patience)
		equal(t, "error of the first", <-first.done, nil)
		equal(t, "error of the second", <-second.done, nil)
		equal(t, "commits", len(got.sizes), 2)
		for range patientRows {
			submit(t, c, true)
		}
		equal(t, "commits when there are enough of them", len(got.sizes), 3)
		last := submit(t, c, true)
		c.close()
		equal(t, "error of the last", <-last.done, nil)
	})
}
