package db

import (
	"strings"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/internal/upkeep"
	"github.com/reprise-dev/reprise/relay"
)

// ways are the two ways in which a plan remembers its events: as a range of
// ids that is walked through, and written down one by one.
var ways = map[string]func(*relay.ReplayJob){
	"walked":       func(*relay.ReplayJob) {},
	"written down": func(j *relay.ReplayJob) { j.Selection.Status = relay.EventUnmatched },
}

// planned is a plan over ten old events, all for the endpoints.
func (w *world) planned(t testing.TB, way func(*relay.ReplayJob), endpoints ...*relay.Endpoint) (j *relay.ReplayJob, events []relay.ID) {
	t.Helper()
	for range 10 {
		events = append(events, w.typed(t, "invoice.paid"))
	}
	w.clock.advance(time.Hour)
	return w.planJob(t, to(endpoints...), way), events
}

// finish starts a job, delivers what it makes, and gives what became of it.
func (w *world) finish(t testing.TB, j *relay.ReplayJob, endpoints ...*relay.Endpoint) relay.ReplayJob {
	t.Helper()
	_, err := w.StartReplay(t.Context(), w.project, j.ID, system)
	check(t, err)
	w.drain(t, j.ID, 4, endpoints...)
	_, err = w.CheckReplay(t.Context(), j.ID)
	check(t, err)
	done, err := w.Replay(t.Context(), w.project, j.ID)
	check(t, err)
	return done
}

// TestEventsThatAreGone: a job never passes over a loss in silence, and never
// sends what may not be sent.
func TestEventsThatAreGone(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				e := w.addEndpoint(t)
				j, events := w.planned(t, way, e)
				exec(t, w.Store, "DELETE FROM events WHERE id = ?", events[3])
				exec(t, w.Store, "UPDATE events SET status = 'rejected', signature_valid = false WHERE id = ?", events[6])
				done := w.finish(t, j, e)
				equal(t, "made", done.Progress.Made, 8)
				equal(t, "succeeded", done.Progress.Succeeded, 8)
				for _, id := range []relay.ID{events[3], events[6]} {
					equal(t, "of what is gone", number(t, w.Store, "SELECT count(*) FROM deliveries WHERE event_id = ?", id), 0)
				}
				switch done.Status {
				case relay.ReplayCompleted:
					equal(t, "gone", done.Progress.Gone, 2)
					equal(t, "processed", done.Progress.Processed, 10)
				case relay.ReplayFailed:
					if !strings.Contains(done.Reason, "10") || !strings.Contains(done.Reason, "8") {
						t.Errorf("reason %q", done.Reason)
					}
				default:
					t.Errorf("the job is %s", done.Status)
				}
			})
		})
	}
}

// TestRetentionKeepsAPlan: what a plan selects stays until it is run.
func TestRetentionKeepsAPlan(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				e := w.addEndpoint(t)
				j, _ := w.planned(t, way, e)
				exec(t, w.Store, "UPDATE sources SET retention_days = 1")
				exec(t, w.Store, "UPDATE meta SET number = number + 1 WHERE name = 'config_version'")
				w.clock.advance(3 * 24 * time.Hour)
				_, err := w.RunRetention(t.Context(), upkeep.RetentionOptions{})
				check(t, err)
				done := w.finish(t, j, e)
				equal(t, "succeeded", done.Progress.Succeeded, 10)
				equal(t, "status", done.Status, relay.ReplayCompleted)
				report, err := w.RunRetention(t.Context(), upkeep.RetentionOptions{})
				check(t, err)
				equal(t, "sources with old events", len(report.Sources), 1)
				equal(t, "events left", number(t, w.Store, "SELECT count(*) FROM events"), 0)
			})
		})
	}
}

// TestEndpointsThatChange: between plan and run one endpoint is paused, one
// disabled and one deleted.
func TestEndpointsThatChange(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				stays, paused, disabled, deleted := w.addEndpoint(t), w.addEndpoint(t), w.addEndpoint(t), w.addEndpoint(t)
				all := []*relay.Endpoint{stays, paused, disabled, deleted}
				j, _ := w.planned(t, way, all...)
				w.setStatus(t, paused, relay.EndpointPaused)
				w.setStatus(t, disabled, relay.EndpointDisabled)
				check(t, w.DeleteEndpoint(t.Context(), w.project, deleted.ID, system))
				going := w.finish(t, j, stays)
				if p := going.Progress; going.Status != relay.ReplayRunning || p.Succeeded != 10 || p.Waiting != 10 || p.Gone != 20 || p.Processed != 30 {
					t.Errorf("one is paused: %s %+v", going.Status, p)
				}
				for _, e := range []*relay.Endpoint{disabled, deleted} {
					equal(t, "to an endpoint that is gone", number(t, w.Store, "SELECT count(*) FROM deliveries WHERE endpoint_id = ?", e.ID), 0)
				}
				w.setStatus(t, paused, relay.EndpointActive)
				for _, c := range claimFrom(t, w.Store, 100, paused) {
					record(t, w.Store, outcome(w.Store, c, relay.DeliveryDelivered))
				}
				_, err := w.CheckReplay(t.Context(), j.ID)
				check(t, err)
				done, err := w.Replay(t.Context(), w.project, j.ID)
				check(t, err)
				if p := done.Progress; done.Status != relay.ReplayCompleted || p.Succeeded != 20 || p.Processed != 40 || p.Total != 40 {
					t.Errorf("resumed: %s %+v", done.Status, p)
				}
			})
		})
	}
}

// TestEndpointDeletedHalfway ends what waits for it, and the job goes on to its
// end with the others.
func TestEndpointDeletedHalfway(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				a, b := w.addEndpoint(t), w.addEndpoint(t)
				j, _ := w.planned(t, way, a, b)
				_, err := w.StartReplay(t.Context(), w.project, j.ID, system)
				check(t, err)
				for range 2 { // four events to each
					_, err = w.WalkReplay(j.ID).Next(t.Context(), 4)
					check(t, err)
				}
				check(t, w.DeleteEndpoint(t.Context(), w.project, b.ID, system))
				w.drain(t, j.ID, 100, a)
				_, err = w.CheckReplay(t.Context(), j.ID)
				check(t, err)
				done, err := w.Replay(t.Context(), w.project, j.ID)
				check(t, err)
				if p := done.Progress; done.Status != relay.ReplayCompleted || p.Succeeded != 10 || p.Discarded != 4 || p.Gone != 6 || p.Processed != 20 {
					t.Errorf("%s %+v", done.Status, p)
				}
			})
		})
	}
}

func (w *world) setStatus(t testing.TB, e *relay.Endpoint, status relay.EndpointStatus) {
	t.Helper()
	_, err := w.UpdateEndpoint(t.Context(), w.project, e.ID, "endpoint."+string(status), system, func(e *relay.Endpoint) error {
		e.Status = status
		return nil
	})
	check(t, err)
}
