package db

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/replays"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/db/internal/upkeep"
	"github.com/reprise-dev/reprise/relay"
)

// TestReplayPagesFindDeliveriesByEvent: SQLite walked all deliveries of the
// project for each pair of a page, which held up every other writer.
func TestReplayPagesFindDeliveriesByEvent(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		w.fill(t, []*relay.Endpoint{e, e, e, e})
		var events []relay.ID
		check(t, w.R.NewSelect().Table("events").Column("id").Where("project_id = ?", w.project).OrderExpr("id").Limit(replays.PairRows).Scan(t.Context(), &events))
		for name, b := range map[string]*sqldb.Bulk{"pairFacts": replays.PairFacts, "markReplayed": replays.MarkReplayed, "sumEvents": engine.SumEvents, "lockEvents": engine.LockEvents} {
			query := b.Sqlite
			if w.PG {
				query = w.withArrays(b, events, e.ID)
			} else if query == "" {
				continue
			}
			if problem := widePlan(w.plan(t, numbered.ReplaceAllString(query, "x'01'"))); problem != "" {
				t.Errorf("%s: %s\n%s\n%s", name, problem, w.plan(t, numbered.ReplaceAllString(query, "x'01'")), query)
			}
		}
	})
}

var (
	numbered = regexp.MustCompile(`\?\d*`)
	arrayArg = regexp.MustCompile(`\$(\d+)::bytea\[\]`)
)

// TestPlanByStatusReadsTheSameEitherWay: pages of a status that most events
// have are read without its index, and those of one that few have with it.
func TestPlanByStatusReadsTheSameEitherWay(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		const events, dense = 12_000, 6_000
		e := w.addEndpoint(t)
		w.fillMillion(t, events, e, relay.DeliveryDLQ)
		var middle int64
		check(t, w.R.NewSelect().Table("events").Column("received_at").OrderExpr("received_at").Offset(dense).Limit(1).Scan(t.Context(), &middle))
		exec(t, w.Store, "UPDATE events SET status = 'failed' WHERE received_at >= ? AND event_type <> 'type.7'", middle)
		const few = (events - dense) / 50
		for status, want := range map[relay.EventStatus]int{relay.EventDelivered: dense + few, relay.EventFailed: events - dense - few} {
			if got := w.planJob(t, to(e), func(j *relay.ReplayJob) { j.Selection.Status = status }).Plan.Events; got != want {
				t.Errorf("%s: %d events, want %d", status, got, want)
			}
		}
		// 11, 110 to 119, 1100 to 1199, 11000 to 11999: in three spans.
		if got := w.planJob(t, to(e), func(j *relay.ReplayJob) { j.Selection.Q = `"in_11` }).Plan.Events; got != 1111 {
			t.Errorf("a search: %d events, want 1111", got)
		}
	})
}

// withArrays is a bulk statement for a page of events to an endpoint.
func (w *world) withArrays(b *sqldb.Bulk, events []relay.ID, endpoint relay.ID) string {
	return arrayArg.ReplaceAllStringFunc(b.PG, func(mark string) string {
		i, err := strconv.Atoi(arrayArg.FindStringSubmatch(mark)[1])
		if err != nil {
			return mark
		}
		values := make([]string, len(events))
		for k, id := range events {
			switch b.Columns[i-1].Name {
			case "project_id":
				id = w.project
			case "endpoint_id":
				id = endpoint
			case "replayed_by":
				id = relay.NewID()
			}
			values[k] = fmt.Sprintf(`'\x%s'::bytea`, id.Hex())
		}
		return "ARRAY[" + strings.Join(values, ", ") + "]"
	})
}

// TestReplayPlans does with replay jobs and retention what TestPlans does with
// the lists.
func TestReplayPlans(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		endpoints := []*relay.Endpoint{w.addEndpoint(t), w.addEndpoint(t), w.addEndpoint(t), w.addEndpoint(t)}
		w.fill(t, endpoints)
		exec(t, w.Store, "UPDATE deliveries SET cause = 'http_500' WHERE status = 'dlq'")
		w.clock.advance(time.Minute)
		newest := w.Now().Add(-62 * time.Second)
		walked := w.planJob(t, to(endpoints[:2]...), func(j *relay.ReplayJob) { j.Selection.From = newest.Add(-3 * time.Second) })
		written := w.planJob(t, func(j *relay.ReplayJob) { j.Selection.DeliveryStatus, j.Selection.NewestOnly = relay.DeliveryDLQ, true })
		other := w.planJob(t, to(endpoints[0]))
		for _, j := range []*relay.ReplayJob{walked, written, other} {
			_, err := w.StartReplay(t.Context(), w.project, j.ID, system)
			check(t, err)
		}
		for range 3 {
			_, err := w.WalkReplay(other.ID).Next(t.Context(), replays.PairRows)
			check(t, err)
		}
		if w.PG {
			_, err := w.W.ExecContext(t.Context(), "ANALYZE")
			check(t, err)
		}
		w, log := w.seen()
		next := func(id relay.ID) func(context.Context) error {
			return func(ctx context.Context) error { _, err := w.WalkReplay(id).Next(ctx, 50); return err }
		}
		planning := func(change ...func(*relay.ReplayJob)) func(context.Context) error {
			return func(ctx context.Context) error { return w.PlanReplay(ctx, w.job(change...), system) }
		}
		cause := func(ctx context.Context) error {
			_, err := w.DiscardDeadLetters(ctx, w.project, endpoints[3].ID, "http_500", "a", system)
			return err
		}
		var some []relay.ID
		check(t, w.R.NewSelect().Table("deliveries").Column("id").Where("project_id = ?", w.project).OrderExpr("id").Limit(700).Scan(t.Context(), &some))
		w.checkPlans(t, log, []planCase{
			{name: "a page that is walked to", run: next(walked.ID), narrow: true},
			{name: "the next page", run: next(walked.ID), narrow: true},
			{name: "a page that was written down", run: next(written.ID), narrow: true},
			{name: "its next page", run: next(written.ID), narrow: true},
			{name: "what waits", index: "deliveries_replay_status", run: func(ctx context.Context) error {
				_, err := w.ReplayWaiting(ctx, other.ID, []relay.ID{endpoints[0].ID, endpoints[1].ID}, 100)
				return err
			}},
			{name: "judging a job", run: func(ctx context.Context) error { _, err := w.CheckReplay(ctx, other.ID); return err }, narrow: true},
			{name: "the first attempts", run: func(ctx context.Context) error {
				_, _, err := w.FirstFailures(ctx, &replays.ReplayRow{ID: other.ID, ProjectID: w.project, BrakeFrom: sqldb.ZeroID()})
				return err
			}, narrow: true},
			{name: "progress", run: func(ctx context.Context) error { _, err := w.Replay(ctx, w.project, other.ID); return err }, narrow: true},
			{name: "jobs", run: func(ctx context.Context) error {
				_, err := w.Replays(ctx, w.project, replays.ReplayFilter{Status: relay.ReplayRunning}, sqldb.Page{})
				return err
			}, narrow: true},
			{name: "jobs that run", run: func(ctx context.Context) error { _, err := w.RunningReplays(ctx); return err }, narrow: true},
			{name: "pausing", run: func(ctx context.Context) error {
				_, err := w.PauseReplay(ctx, w.project, other.ID, "a", system)
				return err
			}, narrow: true},
			{name: "resuming", run: func(ctx context.Context) error {
				_, err := w.ResumeReplay(ctx, w.project, other.ID, system)
				return err
			}, narrow: true},
			{name: "cancelling", run: func(ctx context.Context) error {
				_, err := w.CancelReplay(ctx, w.project, other.ID, system)
				return err
			}, narrow: true},
			{name: "failures of a job", run: func(ctx context.Context) error { _, err := w.ReplayFailures(ctx, w.project, other.ID); return err }, narrow: true},
			{name: "export", run: func(ctx context.Context) error {
				return w.EachReplayDelivery(ctx, w.project, other.ID, "", func([]relay.Delivery) error { return nil })
			}, narrow: true},
			{name: "what failed in a job", run: func(ctx context.Context) error {
				_, err := w.PlanFailed(ctx, w.project, other.ID, false, system)
				return err
			}, narrow: true},
			{name: "planning a time", run: planning(to(endpoints[0]), func(j *relay.ReplayJob) { j.Selection.From = newest.Add(-3 * time.Second) }), narrow: true},
			{name: "planning what failed", run: planning(to(endpoints[0]), func(j *relay.ReplayJob) { j.Selection.Status = relay.EventFailed }), narrow: true},
			{name: "planning dead letters of an endpoint", run: planning(func(j *relay.ReplayJob) {
				j.Selection.DeliveryStatus, j.Selection.NewestOnly, j.Selection.DeliveryEndpointID = relay.DeliveryDLQ, true, endpoints[1].ID
			}), narrow: true},
			{name: "what was selected before", index: "deliveries_event", run: func(ctx context.Context) error {
				r := &replays.PlanRun{Store: w.Store.Store.Store, Plan: &replays.Plan{Row: &replays.ReplayRow{ProjectID: w.project}}}
				r.Selection.DeliveryStatus, r.Selection.NewestOnly, r.From = relay.DeliveryDLQ, true, sqldb.IDBound(newest)
				_, err := r.SelectedBefore(ctx, some)
				return err
			}},
			{name: "planning named deliveries", run: planning(func(j *relay.ReplayJob) { j.Selection.DeliveryIDs = some }), narrow: true},
			{name: "dead letters by cause", run: func(ctx context.Context) error { _, err := w.DeadLetterGroups(ctx, w.project); return err }, narrow: true},
			{name: "discarding dead letters", run: cause, narrow: true},
		})
	})
}

// TestRetentionPlans looks at how retention finds the little that is old.
func TestRetentionPlans(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		endpoints := []*relay.Endpoint{w.addEndpoint(t), w.addEndpoint(t), w.addEndpoint(t), w.addEndpoint(t)}
		w.fill(t, endpoints)
		none := "x''"
		if w.PG { // its plans depend on how much there is
			none = "''::bytea"
		}
		exec(t, w.Store, `INSERT INTO attempts (delivery_id, id, project_id, event_id, endpoint_id, number, outcome, started_at, duration,
				url, request_headers, response_headers, response_body, truncated, error)
			SELECT id, event_id, project_id, event_id, endpoint_id, 1, 'success', 1, 1, '', `+none+`, `+none+`, `+none+`, false, '' FROM deliveries
			WHERE true ON CONFLICT DO NOTHING`)
		exec(t, w.Store, `INSERT INTO payloads (event_id, project_id, method, query, ip, headers, routing, body)
			SELECT id, project_id, 'POST', `+none+`, '', `+none+`, `+none+`, `+none+` FROM events WHERE true ON CONFLICT DO NOTHING`)
		if w.PG {
			_, err := w.W.ExecContext(t.Context(), "ANALYZE")
			check(t, err)
		}
		w.planJob(t, to(endpoints[0]), func(j *relay.ReplayJob) { j.Selection.EventIDs = w.filled })
		oldest := w.event(t, w.oldest(t)).ReceivedAt
		w.clock.advance(oldest.AddDate(0, 0, 30).Sub(w.Now()) + time.Second)
		w, log := w.seen()
		w.checkPlans(t, log, []planCase{
			{name: "a preview", run: func(ctx context.Context) error {
				_, err := w.RetentionPreview(ctx, upkeep.RetentionOptions{})
				return err
			}, narrow: true},
			{name: "a run", run: func(ctx context.Context) error { _, err := w.RunRetention(ctx, upkeep.RetentionOptions{}); return err }, narrow: true},
			{name: "whether it is due", run: func(ctx context.Context) error { _, err := w.RetentionDue(ctx); return err }, narrow: true},
		})
	})
}

func (w *world) oldest(t *testing.T) relay.ID {
	t.Helper()
	var id relay.ID
	check(t, w.R.NewSelect().Table("events").Column("id").OrderExpr("id").Limit(1).Scan(t.Context(), &id))
	return id
}
