package db

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/db/internal/replays"
	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// planSlices plans a job one step at a time, each by a process that has just
// begun, and counts the steps.
func (w *world) planSlices(t testing.TB, j *relay.ReplayJob) (slices int) {
	t.Helper()
	w.PlanAtOnce = -1
	defer func() { w.PlanAtOnce = replays.PlanAtOnce }()
	check(t, w.PlanReplay(t.Context(), j, system))
	for {
		slices++
		planned, err := w.ContinuePlan(t.Context(), j.ID, func() bool { return true })
		check(t, err)
		is, err := w.Replay(t.Context(), j.ProjectID, j.ID)
		check(t, err)
		if *j = is; planned {
			return slices
		}
		equal(t, "the status meanwhile", j.Status, relay.ReplayPlanning)
	}
}

// pairsOf are the pairs that a job would send, in order.
func (w *world) pairsOf(t testing.TB, id relay.ID) (out []string) {
	t.Helper()
	var row replays.ReplayRow
	check(t, w.R.NewSelect().Model(&row).Where("id = ?", id).Scan(t.Context()))
	for {
		at, err := w.ReadPairs(t.Context(), &row)
		check(t, err)
		for _, p := range at.Pairs {
			out = append(out, p.Event.Hex()+" "+p.Endpoint.Hex())
		}
		row.CursorEvent, row.CursorEndpoint, row.CursorPart = at.End.Event, at.End.Endpoint, at.End.Part
		if at.Last {
			return out
		}
	}
}

// selections are the ways to select events, over a past of many kinds.
func (w *world) selections(t *testing.T) (a, b *relay.Endpoint, all map[string]func(*relay.ReplayJob)) {
	a, b = w.addEndpoint(t), w.addEndpoint(t)
	var events []relay.ID
	for i := range 60 {
		events = append(events, w.receive(t, a, b).Event.ID)
		if i%3 == 0 {
			events = append(events, w.typed(t, "invoice.paid"))
		}
		w.clock.advance(10 * time.Second)
	}
	for i, c := range claimFrom(t, w.Store, 500, a, b) {
		record(t, w.Store, outcome(w.Store, c, []relay.DeliveryStatus{relay.DeliveryDLQ, relay.DeliveryDelivered, relay.DeliveryDLQ}[i%3]))
	}
	// Some were replayed and failed again: the same pair is selected twice.
	again := w.planJob(t, func(j *relay.ReplayJob) {
		j.Selection.DeliveryStatus, j.Selection.DeliveryEndpointID = relay.DeliveryDLQ, a.ID
	})
	_, err := w.StartReplay(t.Context(), w.project, again.ID, system)
	check(t, err)
	for done := false; !done; {
		step, err := w.WalkReplay(again.ID).Next(t.Context(), 50)
		check(t, err)
		done = step.Drained
	}
	for _, c := range claimFrom(t, w.Store, 500, a, b) {
		record(t, w.Store, outcome(w.Store, c, relay.DeliveryDLQ))
	}
	w.clock.advance(10 * time.Second)
	return a, b, map[string]func(*relay.ReplayJob){
		"everything":               func(*relay.ReplayJob) {},
		"a source":                 func(j *relay.ReplayJob) { j.Selection.SourceID = w.source.ID },
		"a type":                   func(j *relay.ReplayJob) { j.Selection.EventType = "invoice.paid" },
		"a status":                 func(j *relay.ReplayJob) { j.Selection.Status = relay.EventFailed },
		"ids":                      func(j *relay.ReplayJob) { j.Selection.EventIDs = events[5:40] },
		"dead letters":             func(j *relay.ReplayJob) { j.Selection.DeliveryStatus = relay.DeliveryDLQ },
		"dead letters to one":      func(j *relay.ReplayJob) { j.Selection.DeliveryStatus = relay.DeliveryDLQ; to(b)(j) },
		"the newest dead letters":  func(j *relay.ReplayJob) { j.Selection.DeliveryStatus, j.Selection.NewestOnly = relay.DeliveryDLQ, true },
		"the oldest 17":            func(j *relay.ReplayJob) { j.MaxEvents = 17 },
		"the oldest 17 failed":     func(j *relay.ReplayJob) { j.MaxEvents, j.Selection.Status = 17, relay.EventFailed },
		"a backfill, said by hand": func(j *relay.ReplayJob) { j.Backfill = true; j.Selection.To = w.Now(); to(a)(j) },
	}
}

// TestPlanningInSlicesIsPlanningAtOnce: whatever is selected, in however many
// turns it is gone through.
func TestPlanningInSlicesIsPlanningAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		_, _, selections := w.selections(t)
		for name, selection := range selections {
			w.Plans = replays.DefaultPlanSizes
			whole := w.planJob(t, selection)
			w.Plans = replays.PlanSizes{Read: 4, Count: 7, Sort: 9}
			parts := w.job(selection)
			n := w.planSlices(t, parts)
			if many := name != "ids" && whole.MaxEvents == 0; many && n < 4 {
				t.Errorf("%s: only %d slices", name, n)
			}
			if whole.MaxEvents > 0 { // how many more there are is not counted to the end
				if parts.Plan.LeftOut == 0 || parts.Plan.LeftOut > whole.Plan.LeftOut {
					t.Errorf("%s: %d left out, of %d", name, parts.Plan.LeftOut, whole.Plan.LeftOut)
				}
				parts.Plan.LeftOut = whole.Plan.LeftOut
				parts.Plan.Unmatched = whole.Plan.Unmatched
			}
			if diff := cmp.Diff(whole.Plan, parts.Plan); diff != "" {
				t.Errorf("%s, in %d slices: %s", name, n, diff)
			}
			want, got := w.pairsOf(t, whole.ID), w.pairsOf(t, parts.ID)
			equal(t, name+": pairs", len(got), whole.Plan.Pairs)
			if diff := cmp.Diff(asSet(want), asSet(got)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	})
}

// asSet counts each.
func asSet(all []string) map[string]int {
	out := map[string]int{}
	for _, s := range all {
		out[s]++
	}
	return out
}

// TestPlanningGoesOnWhereItWasLeft: the process died, and another went on; then
// the first came back after all.
func TestPlanningGoesOnWhereItWasLeft(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		_, _, selections := w.selections(t)
		for name, selection := range selections {
			if name == "ids" { // in one go
				continue
			}
			w.Plans = replays.DefaultPlanSizes
			whole := w.planJob(t, selection)
			w.Plans = replays.PlanSizes{Read: 4, Count: 7, Sort: 9}
			j := w.job(selection)
			w.PlanAtOnce = -1
			check(t, w.PlanReplay(t.Context(), j, system))
			w.PlanAtOnce = replays.PlanAtOnce
			turn := 0
			_, err := w.ContinuePlan(t.Context(), j.ID, func() bool {
				if turn++; turn == 2 { // it stands still, and another takes over
					planned, err := w.ContinuePlan(t.Context(), j.ID, func() bool { return false })
					check(t, err)
					equal(t, name+": planned", planned, true)
				}
				return false
			})
			check(t, err)
			want, got := w.pairsOf(t, whole.ID), w.pairsOf(t, j.ID)
			if diff := cmp.Diff(asSet(want), asSet(got)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			is, err := w.Replay(t.Context(), w.project, j.ID)
			check(t, err)
			equal(t, name+": pairs counted", is.Plan.Pairs, whole.Plan.Pairs)
		}
	})
}

// TestPlanningThatStarts: a job that is to start does so when it is planned, and
// says so in the audit log; one that is cancelled meanwhile is over.
func TestPlanningThatStarts(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		for range 5 {
			w.receive(t, e)
		}
		w.clock.advance(time.Minute)
		j := w.job(to(e), func(j *relay.ReplayJob) { j.Starts = true })
		w.planSlices(t, j)
		equal(t, "status", j.Status, relay.ReplayRunning)
		equal(t, "entries", number(t, w.Store, "SELECT count(*) FROM audit_log WHERE action IN ('replay_job.planned', 'replay_job.started')"), 2)

		filled, err := w.PlanBackfill(t.Context(), w.project, e.ID, 7, 50, system)
		check(t, err)
		equal(t, "status", filled.Status, relay.ReplayRunning)
		entries, err := w.AuditEntries(t.Context(), w.project, settings.AuditFilter{}, sqldb.Page{Limit: 1})
		check(t, err)
		equal(t, "entry of a backfill", entries.Rows[0].Action, "replay_job.started")
		equal(t, "days", fmt.Sprint(entries.Rows[0].Data["backfill_days"]), "7")
		equal(t, "endpoint", entries.Rows[0].Data["endpoint_id"], any(relay.PrefixEndpoint.Format(e.ID)))

		w.PlanAtOnce = -1
		gone := w.job(to(e))
		check(t, w.PlanReplay(t.Context(), gone, system))
		_, err = w.StartReplay(t.Context(), w.project, gone.ID, system)
		wantKind(t, err, relay.KindConflict)
		_, err = w.CancelReplay(t.Context(), w.project, gone.ID, system)
		check(t, err)
		_, err = w.ContinuePlan(t.Context(), gone.ID, func() bool { return false })
		check(t, err)
		is, err := w.Replay(t.Context(), w.project, gone.ID)
		check(t, err)
		equal(t, "status", is.Status, relay.ReplayCancelled)
	})
}

// TestProjectsHaveSoManyReplays: one more is refused, with the limit.
func TestProjectsHaveSoManyReplays(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		w.receive(t, e)
		w.clock.advance(time.Minute)
		planned := w.planJob(t, to(e))
		copies := func(status relay.ReplayStatus, n int) {
			exec(t, w.Store, "UPDATE replays SET finished_at = 1, status = 'cancelled' WHERE id <> ?", planned.ID)
			for range n {
				columns := "project_id, reason, selection, targets, plan, all_matching, ignore_filter, skip_delivered, backfill, rate_limit, max_events, canary, " +
					"canary_passed, brake, brake_from, note, lower_id, upper_id, walk_end, cursor_event, cursor_endpoint, page, total, made, skipped_delivered, " +
					"skipped_gone, drained, settling, created_by, created_at, updated_at"
				exec(t, w.Store, fmt.Sprintf("INSERT INTO replays (id, status, %s) SELECT ?, ?, %[1]s FROM replays WHERE id = ?", columns), relay.NewID(), string(status), planned.ID)
			}
		}
		copies(relay.ReplayPlanning, relay.MaxReplaysPlanning)
		wantKind(t, w.PlanReplay(t.Context(), w.job(to(e)), system), relay.KindConflict)
		copies(relay.ReplayRunning, relay.MaxReplaysRunning)
		wantKind(t, w.PlanReplay(t.Context(), w.job(to(e), func(j *relay.ReplayJob) { j.Starts = true }), system), relay.KindConflict)
		_, err := w.StartReplay(t.Context(), w.project, planned.ID, system)
		wantKind(t, err, relay.KindConflict)
		check(t, w.PlanReplay(t.Context(), w.job(to(e)), system))
	})
}
