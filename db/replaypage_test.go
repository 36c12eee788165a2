package db

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/replays"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// TestReplayPagesAreMadeOnce lets two processes make the same pages at the
// same time, as after a lease was lost, while people replay single events.
func TestReplayPagesAreMadeOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, b := w.addEndpoint(t), w.addEndpoint(t)
		var events []relay.ID
		for range 60 {
			events = append(events, w.receive(t, a).Event.ID)
		}
		w.clock.advance(replays.SettleTime - 30*time.Millisecond)
		j := w.planJob(t, to(a, b))
		_, err := w.StartReplay(t.Context(), w.project, j.ID, system)
		check(t, err)
		stores := []*Store{w.Store, w.beside(t)}
		var wait sync.WaitGroup
		for i := range 4 {
			wait.Go(func() {
				walk := stores[i%2].WalkReplay(j.ID)
				for {
					step, err := walk.Next(t.Context(), 3)
					if err != nil {
						t.Error(err)
						return
					}
					if step.Drained {
						return
					}
				}
			})
		}
		wait.Go(func() {
			for _, id := range events[:20] {
				if _, err := w.ReplayEvent(t.Context(), w.project, id, []relay.ID{a.ID}, system); err != nil {
					t.Error(err)
				}
			}
		})
		wait.Wait()
		equal(t, "deliveries", number(t, w.Store, "SELECT count(*) FROM deliveries WHERE replay_id = ?", j.ID), 120)
		equal(t, "newest", number(t, w.Store, "SELECT count(*) FROM deliveries WHERE replayed_by IS NULL"), 120)
		done, err := w.Replay(t.Context(), w.project, j.ID)
		check(t, err)
		equal(t, "made", done.Progress.Made, 120)
		var all []lists.DeliveryRow
		check(t, w.R.NewSelect().Model(&all).Scan(t.Context()))
		for i := range all {
			if d := &all[i]; !d.ReplayedBy.IsZero() && bytes.Compare(d.ReplayedBy[:], d.ID[:]) <= 0 {
				t.Errorf("%v is replayed by an older one", d.ID)
			}
		}
	})
}

func TestCancelGivesDeadLettersBack(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		for range 5 {
			w.receive(t, e)
		}
		for _, c := range claimFrom(t, w.Store, 10, e) {
			record(t, w.Store, outcome(w.Store, c, relay.DeliveryDLQ))
		}
		groups, err := w.DeadLetterGroups(t.Context(), w.project)
		check(t, err)
		equal(t, "groups", len(groups), 1)
		equal(t, "dead letters", groups[0].Count, 5)
		j := w.planJob(t, func(j *relay.ReplayJob) {
			j.Selection = relay.Selection{DeliveryStatus: relay.DeliveryDLQ, NewestOnly: true, DeliveryEndpointID: e.ID, Cause: groups[0].Cause}
		})
		equal(t, "pairs", j.Plan.Pairs, 5)
		if !slices.Equal(j.EndpointIDs, []relay.ID{e.ID}) {
			t.Errorf("endpoints %v", j.EndpointIDs)
		}
		_, err = w.StartReplay(t.Context(), w.project, j.ID, system)
		check(t, err)
		_, err = w.WalkReplay(j.ID).Next(t.Context(), 3)
		check(t, err)
		groups, err = w.DeadLetterGroups(t.Context(), w.project)
		check(t, err)
		equal(t, "dead letters left", groups[0].Count, 2)
		sent := claimFrom(t, w.Store, 1, e)
		var last []relay.Delivery
		check(t, w.EachReplayDelivery(t.Context(), w.project, j.ID, "", func(page []relay.Delivery) error { last = page; return nil }))
		_, err = w.ReplayDelivery(t.Context(), w.project, last[2].ID, system, unlimited)
		check(t, err)
		cancelled, err := w.CancelReplay(t.Context(), w.project, j.ID, system)
		check(t, err)
		equal(t, "discarded", cancelled.Progress.Discarded, 2)
		groups, err = w.DeadLetterGroups(t.Context(), w.project)
		check(t, err)
		equal(t, "dead letters again, but for one replayed since", groups[0].Count, 3)
		equal(t, "stale", record(t, w.Store, outcome(w.Store, sent[0], relay.DeliveryRetrying)), false)
		check(t, w.SettleReplay(t.Context(), j.ID))
		groups, err = w.DeadLetterGroups(t.Context(), w.project)
		check(t, err)
		equal(t, "dead letters", groups[0].Count, 4)
		equal(t, "failed events", number(t, w.Store, "SELECT count(*) FROM events WHERE status = 'failed'"), 4)
		for _, d := range last {
			all, err := w.DeliveriesOfEvents(t.Context(), []relay.ID{d.EventID})
			check(t, err)
			equal(t, "event", w.event(t, d.EventID).Status, relay.EventStatusOf(all[d.EventID]))
		}
		equal(t, "settling", number(t, w.Store, "SELECT count(*) FROM replays WHERE settling"), 0)
		n, err := w.DiscardDeadLetters(t.Context(), w.project, e.ID, groups[0].Cause, "Not needed", system)
		check(t, err)
		equal(t, "discarded", n, 4)
		groups, err = w.DeadLetterGroups(t.Context(), w.project)
		check(t, err)
		equal(t, "groups", len(groups), 0)
	})
}

func TestPauseParksAndResumeWakes(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		for range 10 {
			w.typed(t, "invoice.paid")
		}
		j := w.planJob(t, to(e))
		_, err := w.StartReplay(t.Context(), w.project, j.ID, system)
		check(t, err)
		_, err = w.WalkReplay(j.ID).Next(t.Context(), 6)
		check(t, err)
		_, err = w.PauseReplay(t.Context(), w.project, j.ID, "Because", system)
		check(t, err)
		equal(t, "claims", len(claimFrom(t, w.Store, 10, e)), 0)
		step, err := w.WalkReplay(j.ID).Next(t.Context(), 6)
		check(t, err)
		equal(t, "stopped", step.Stopped, true)
		_, err = w.ResumeReplay(t.Context(), w.project, j.ID, system)
		check(t, err)
		equal(t, "claims", len(claimFrom(t, w.Store, 10, e)), 6)
		list, err := w.Replays(t.Context(), w.project, replays.ReplayFilter{Status: relay.ReplayRunning}, sqldb.Page{})
		check(t, err)
		equal(t, "running", len(list.Rows), 1)
		made := 0
		check(t, w.EachReplayDelivery(t.Context(), w.project, j.ID, "", func(page []relay.Delivery) error { made += len(page); return nil }))
		equal(t, "exported", made, 6)
	})
}

func TestBackfillMeetsTheLiveStream(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		for range 5 {
			w.typed(t, "invoice.paid")
		}
		e := w.addEndpoint(t)
		w.receive(t, e)
		job, err := w.PlanBackfill(t.Context(), w.project, e.ID, 1, 50, system)
		check(t, err)
		w.typed(t, "invoice.paid") // by a process that does not know of the endpoint yet
		w.receive(t, e)
		w.drainUntil(t, job.ID, false)
		equal(t, "not settled yet", number(t, w.Store, "SELECT count(*) FROM deliveries WHERE replay_id = ?", job.ID), 0)
		waits, err := w.Replay(t.Context(), w.project, job.ID)
		check(t, err)
		if left := waits.Progress.Left; left <= replays.SettleTime || left > replays.BackfillLead+replays.SettleTime {
			t.Errorf("%s left, until the newest events have settled", left)
		}
		w.clock.advance(replays.BackfillLead)
		w.receive(t, e)
		w.clock.advance(replays.SettleTime)
		w.drainUntil(t, job.ID, true)
		equal(t, "deliveries", number(t, w.Store, "SELECT count(*) FROM deliveries"), 9)
		equal(t, "events", number(t, w.Store, "SELECT count(DISTINCT event_id) FROM deliveries"), 9)
		done, err := w.Replay(t.Context(), w.project, job.ID)
		check(t, err)
		equal(t, "total", done.Progress.Total, done.Progress.Made+done.Progress.Skipped)
		equal(t, "left", done.Progress.Left, 0)
	})
}

// drainUntil makes pages until nothing more comes now.
func (w *world) drainUntil(t testing.TB, id relay.ID, drained bool) {
	t.Helper()
	for range 10 {
		step, err := w.WalkReplay(id).Next(t.Context(), 100)
		check(t, err)
		if step.Drained {
			equal(t, "drained", true, drained)
			return
		}
	}
	equal(t, "drained", false, drained)
}
