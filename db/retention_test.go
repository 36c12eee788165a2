package db

import (
	"sync"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/upkeep"
	"github.com/reprise-dev/reprise/relay"
)

func TestRetention(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		for range 4 {
			w.receive(t, e)
		}
		for _, c := range claimFrom(t, w.Store, 3, e) {
			record(t, w.Store, outcome(w.Store, c, relay.DeliveryDelivered))
		}
		w.clock.advance(31 * 24 * time.Hour)
		fresh := w.receive(t, e)
		report, err := w.RetentionPreview(t.Context(), upkeep.RetentionOptions{})
		check(t, err)
		equal(t, "sources", len(report.Sources), 1)
		equal(t, "would go", report.Sources[0].Events, 3)
		equal(t, "events", number(t, w.Store, "SELECT count(*) FROM events"), 5)
		j := w.planJob(t, to(e))
		report, err = w.RunRetention(t.Context(), upkeep.RetentionOptions{})
		check(t, err)
		equal(t, "in a plan", len(report.Sources), 0)
		_, err = w.CancelReplay(t.Context(), w.project, j.ID, system)
		check(t, err)
		report, err = w.RunRetention(t.Context(), upkeep.RetentionOptions{AuditDays: 10})
		check(t, err)
		equal(t, "went", report.Sources[0].Events, 3)
		equal(t, "deliveries", report.Sources[0].Deliveries, 3)
		equal(t, "audit entries", report.AuditEntries > 0, true)
		equal(t, "events", number(t, w.Store, "SELECT count(*) FROM events"), 2)
		equal(t, "payloads", number(t, w.Store, "SELECT count(*) FROM payloads"), 2)
		equal(t, "attempts", number(t, w.Store, "SELECT count(*) FROM attempts"), 0)
		equal(t, "fresh", w.event(t, fresh.Event.ID).ID, fresh.Event.ID)
		w.clock.advance(31 * 24 * time.Hour)
		report, err = w.RunRetention(t.Context(), upkeep.RetentionOptions{})
		check(t, err)
		equal(t, "jobs", report.Replays, 1)
		equal(t, "jobs left", number(t, w.Store, "SELECT count(*) FROM replays"), 0)
	})
}

func TestRetentionKeepsWhatARunningJobWillRead(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		for range 10 {
			w.typed(t, "invoice.paid")
		}
		w.clock.advance(31 * 24 * time.Hour)
		j := w.planJob(t, to(e))
		_, err := w.StartReplay(t.Context(), w.project, j.ID, system)
		check(t, err)
		_, err = w.WalkReplay(j.ID).Next(t.Context(), 4)
		check(t, err)
		for _, c := range claimFrom(t, w.Store, 4, e) {
			record(t, w.Store, outcome(w.Store, c, relay.DeliveryDelivered))
		}
		_, err = w.RunRetention(t.Context(), upkeep.RetentionOptions{})
		check(t, err)
		w.drain(t, j.ID, 100, e)
		status, err := w.CheckReplay(t.Context(), j.ID)
		check(t, err)
		equal(t, "status", status, relay.ReplayCompleted)
		equal(t, "made", number(t, w.Store, "SELECT made FROM replays"), 10)
	})
}

func TestRetentionIsDueDailyAtSix(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		due, err := w.RetentionDue(t.Context())
		check(t, err)
		equal(t, "at first", due, false)
		now := w.Now()
		w.clock.advance(time.Date(now.Year(), now.Month(), now.Day()+1, 5, 59, 0, 0, time.UTC).Sub(now))
		check(t, w.RetentionDone(t.Context()))
		due, err = w.RetentionDue(t.Context())
		check(t, err)
		equal(t, "before six", due, false)
		w.clock.advance(2 * time.Minute)
		due, err = w.RetentionDue(t.Context())
		check(t, err)
		equal(t, "after six", due, true)
	})
}

// TestAJumpOfTheClockRemovesNothing sets the clock a year ahead, which let
// retention delete everything.
func TestAJumpOfTheClockRemovesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		const events = 1200
		var all sync.WaitGroup
		for range events {
			all.Go(func() { w.receive(t) })
		}
		all.Wait()
		check(t, w.RetentionDone(t.Context()))
		w.clock.advance(365 * 24 * time.Hour)
		left := func() int {
			t.Helper()
			n, err := w.CountEvents(t.Context(), w.project, lists.EventFilter{}, 2*events)
			check(t, err)
			return n
		}
		for range 2 {
			_, err := w.RunRetention(t.Context(), upkeep.RetentionOptions{})
			wantKind(t, err, relay.KindConflict)
			_, err = w.Prune(t.Context(), never)
			wantKind(t, err, relay.KindConflict)
		}
		equal(t, "left after the jump", left(), events)

		// A day later the time is believed, and a part goes.
		check(t, w.RetentionDone(t.Context()))
		w.clock.advance(24 * time.Hour)
		report, err := w.RunRetention(t.Context(), upkeep.RetentionOptions{})
		check(t, err)
		equal(t, "left for the next run", report.Left, true)
		if n := left(); n < events-1000-upkeep.RetentionRows || n > events-1000 {
			t.Errorf("%d are left of %d", n, events)
		}
		_, err = w.RunRetention(t.Context(), upkeep.RetentionOptions{All: true})
		check(t, err)
		equal(t, "left after all", left(), 0)
	})
}
