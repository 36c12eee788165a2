package db

import (
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// countedJob checks that the progress of a job is what its deliveries are.
func (w *world) countedJob(t *testing.T, id relay.ID, after string) relay.ReplayProgress {
	t.Helper()
	j, err := w.Replay(t.Context(), w.project, id)
	check(t, err)
	p := j.Progress
	got := map[relay.DeliveryStatus]int{relay.DeliveryPending: p.Waiting, relay.DeliveryRetrying: p.Retrying,
		relay.DeliveryDelivered: p.Succeeded, relay.DeliveryDLQ: p.Failed, relay.DeliveryDiscarded: p.Discarded}
	for status, n := range got {
		equal(t, after+": "+string(status), n, int(number(t, w.Store, "SELECT count(*) FROM deliveries WHERE replay_id = ? AND status = ?", id, string(status))))
	}
	return p
}

// TestReplaysAreCounted takes deliveries of a job through everything that changes
// their status.
func TestReplaysAreCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		for range 12 {
			w.typed(t, "invoice.paid")
		}
		w.clock.advance(time.Hour)
		j := w.planJob(t)
		_, err := w.StartReplay(t.Context(), w.project, j.ID, system)
		check(t, err)
		_, err = w.WalkReplay(j.ID).Next(t.Context(), 8)
		check(t, err)
		equal(t, "waiting", w.countedJob(t, j.ID, "made").Waiting, 8)

		claims := claimFrom(t, w.Store, 6, e)
		for i, status := range []relay.DeliveryStatus{relay.DeliveryDelivered, relay.DeliveryRetrying, relay.DeliveryDLQ, relay.DeliveryDLQ} {
			record(t, w.Store, outcome(w.Store, claims[i], status))
		}
		equal(t, "failed", w.countedJob(t, j.ID, "recorded").Failed, 2)

		again := outcome(w.Store, claims[4], relay.DeliveryDelivered)
		record(t, w.Store, again)
		again.Again = true
		equal(t, "stale", record(t, w.Store, again), true)
		equal(t, "succeeded", w.countedJob(t, j.ID, "recorded twice").Succeeded, 2)
		stats, err := w.Stats(t.Context(), engine.StatsQuery{ProjectID: w.project, From: w.Now().Add(-time.Hour), To: w.Now().Add(time.Hour), Step: time.Hour})
		check(t, err)
		equal(t, "attempts that succeeded", stats.Total.Succeeded, 2)

		w.clock.advance(2 * time.Minute)
		_, err = w.Reclaim(t.Context(), false)
		check(t, err)
		w.countedJob(t, j.ID, "reclaimed")
		record(t, w.Store, outcome(w.Store, claims[5], relay.DeliveryDelivered))
		w.countedJob(t, j.ID, "recorded too late")

		_, err = w.RetryDelivery(t.Context(), w.project, claims[2].DeliveryID, "webhook_delivery.retried", system)
		check(t, err)
		w.countedJob(t, j.ID, "retried")
		_, err = w.DiscardDelivery(t.Context(), w.project, claims[0].DeliveryID, "", system)
		equal(t, "discarding what is delivered", relay.KindOf(err), relay.KindConflict)
		_, err = w.DiscardDelivery(t.Context(), w.project, claims[1].DeliveryID, "", system)
		check(t, err)
		w.countedJob(t, j.ID, "discarded")
		groups, err := w.DeadLetterGroups(t.Context(), w.project)
		check(t, err)
		_, err = w.DiscardDeadLetters(t.Context(), w.project, e.ID, groups[0].Cause, "", system)
		check(t, err)
		equal(t, "discarded", w.countedJob(t, j.ID, "dead letters discarded").Discarded, 2)

		_, err = w.CancelReplay(t.Context(), w.project, j.ID, system)
		check(t, err)
		check(t, w.SettleReplay(t.Context(), j.ID))
		p := w.countedJob(t, j.ID, "cancelled")
		equal(t, "waiting", p.Waiting, 0)
		equal(t, "made", p.Made, 8)
	})
}

// TestCountsOfOldJobs opens a database whose jobs were counted anew each time.
func TestCountsOfOldJobs(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		old := openStore(t, sqldb.Options{URL: url})
		job := relay.NewID()
		for i, status := range []string{"delivered", "delivered", "dlq", "pending"} {
			exec(t, old, `INSERT INTO deliveries (id, project_id, event_id, endpoint_id, source_id, event_type, status, lane, attempts, fence, interrupted,
				event_trigger, replay_id, created_at) VALUES (?, ?, ?, ?, ?, '', ?, 2, 0, 0, 0, 'replay', ?, 1)`,
				relay.NewID(), relay.NewID(), relay.NewIDAt(time.UnixMilli(int64(i))), relay.NewID(), relay.NewID(), status, job)
		}
		exec(t, old, "DROP TABLE replay_counts")
		exec(t, old, "DELETE FROM schema_migrations WHERE name >= '0010'")
		check(t, old.Close())
		counts, err := openStore(t, sqldb.Options{URL: url}).ReplayCounts(t.Context(), []relay.ID{job})
		check(t, err)
		equal(t, "kinds", len(counts), 2)
		equal(t, "delivered", counts[engine.ReplayStatus{Replay: job, Status: relay.DeliveryDelivered}], 2)
		equal(t, "dead", counts[engine.ReplayStatus{Replay: job, Status: relay.DeliveryDLQ}], 1)
	})
}
