package replays

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// PlanRun goes through what a job selects, adds it up, and writes down what
// cannot be walked through later, because whether it belongs may change.
type PlanRun struct {
	*Store
	*Plan
	writing chan written // nil: nothing is being written
}

// errEnough ends a reading before its end.
var errEnough = errors.New("db: enough")

// ContinuePlan goes on with the planning of a job until it is planned, which it
// reports, or until it was enough. Where somebody else works on the same plan, or
// the job is not being planned any more, it does nothing.
func (s *Store) ContinuePlan(ctx context.Context, id relay.ID, enough func() bool) (planned bool, err error) {
	row, err := s.takePlan(ctx, id)
	if err != nil || row == nil {
		return true, err
	}
	if err := s.RefreshConfig(ctx); err != nil {
		return false, err
	}
	p, err := openPlan(row)
	if err != nil {
		return false, err
	}
	r := &PlanRun{Store: s, Plan: p}
	err = r.run(ctx, enough)
	if e := r.wait(); err == nil || errors.Is(err, errEnough) {
		err = errors.Join(err, e)
	}
	switch {
	case err == nil:
		err = r.finish(ctx)
		planned = err == nil
	case errors.Is(err, errEnough):
		err = r.save(ctx)
	}
	if errors.Is(err, errMoved) {
		return true, nil
	}
	return planned, sqldb.Translate(err)
}

// takePlan makes a plan its caller's own: whoever worked on it before can write
// nothing more, and pairs that the state does not know of are removed.
func (s *Store) takePlan(ctx context.Context, id relay.ID) (*ReplayRow, error) {
	var row ReplayRow
	taken := false
	err := s.Write(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		if row, err = s.lockReplay(ctx, tx, id); err != nil || relay.ReplayStatus(row.Status) != relay.ReplayPlanning {
			return err
		}
		st, err := sqldb.FromJSON[planState](row.Planning)
		if err != nil {
			return err
		}
		if _, err := tx.NewDelete().Table("replay_pairs").Where("replay_id = ? AND part > ?", id, st.Part).Exec(ctx); err != nil {
			return err
		}
		row.Page++
		taken = true
		_, err = tx.NewUpdate().Model(&row).Column("page").WherePK().Exec(ctx)
		return err
	})
	if err != nil || !taken {
		return nil, err
	}
	return &row, nil
}

// run goes on until everything is gone through; errEnough: until later.
func (r *PlanRun) run(ctx context.Context, enough func() bool) error {
	for bytes.Compare(r.From, r.Before) < 0 {
		step := r.ofEvents
		switch {
		case bytes.Compare(r.From, r.Settled) < 0:
			step = r.countSettled
		case r.Selection.OfDeliveries():
			step = r.ofDeliveries
		case len(r.Selection.EventIDs) > 0:
			step = r.ofIDs
		}
		if err := step(ctx, enough); err != nil {
			return err
		}
	}
	return nil
}

// end goes on with nothing: what is selected beyond MaxEvents is not looked at.
func (r *PlanRun) end() { r.From = r.Before }

var (
	planColumns = sqldb.ColumnsOf(sqldb.Cols(sqldb.KText, "planning"), sqldb.Cols(sqldb.KInt, "updated_at"), sqldb.Cols(sqldb.KBytes, "id"), sqldb.Cols(sqldb.KInt, "was"))
	// savePlan says where a planning stands, if it is still its writer's.
	savePlan = &sqldb.Bulk{
		Sqlite: "UPDATE replays SET planning = ?, updated_at = ? WHERE id = ? AND page = ? AND status = 'planning'",
		PG: "UPDATE replays t SET planning = v.planning, updated_at = v.updated_at FROM " + sqldb.Unnest(planColumns) +
			" WHERE t.id = v.id AND t.page = v.was AND t.status = 'planning' RETURNING t.id",
		Columns: planColumns, Key: 2,
	}
)

// commit writes rows, if there are any, together with the state that they follow.
func (r *PlanRun) commit(ctx context.Context, rows *sqldb.Work) error {
	at := &sqldb.Work{Bulk: savePlan}
	at.Add(r.saved, sqldb.Micros(r.Now()), r.Row.ID[:], r.Row.Page)
	return r.Background.Do(ctx, func() error {
		return r.Hot.Phases(ctx, sqldb.Lazy, func(run func(...*sqldb.Work) error) error {
			if err := run(at); err != nil {
				return err
			}
			if !at.Hit[0] {
				return errMoved
			}
			if rows == nil {
				return nil
			}
			return run(rows)
		})
	})
}

// save writes down where the planning stands.
func (r *PlanRun) save(ctx context.Context) error {
	r.saved = sqldb.JSONText(r.planState)
	return r.commit(ctx, nil)
}

// finish makes a job that is gone through a planned one, or a running one.
func (r *PlanRun) finish(ctx context.Context) error {
	if err := r.exactTimes(ctx); err != nil {
		return err
	}
	plan := r.counted(r.Config())
	if r.own {
		r.targets = nil
		for _, d := range plan.ByEndpoint {
			r.targets = append(r.targets, relay.ReplayTarget{EndpointID: d.EndpointID})
		}
	}
	countNamed(&r.Selection)
	row, now := *r.Row, sqldb.Micros(r.Now())
	row.Status, row.Planning, row.UpdatedAt = string(relay.ReplayPlanned), "", now
	row.Total, row.Selection, row.Targets, row.Plan = plan.Pairs, sqldb.JSONText(r.Selection), sqldb.JSONText(r.targets), sqldb.JSONText(plan)
	r.bounds(&row)
	if r.Starts {
		row.Status, row.StartedAt = string(relay.ReplayRunning), now
	}
	return r.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		is, err := r.lockReplay(ctx, tx, row.ID)
		if err != nil {
			return err
		}
		if is.Page != row.Page || relay.ReplayStatus(is.Status) != relay.ReplayPlanning {
			return errMoved
		}
		row.RateLimit = is.RateLimit
		if _, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx); err != nil {
			return err
		}
		for _, entry := range r.entries(&plan) {
			if err := r.WriteAudit(ctx, tx, entry); err != nil {
				return err
			}
		}
		return nil
	})
}

// entries are what the audit log says of a job that is planned.
func (r *PlanRun) entries(plan *relay.ReplayPlan) []relay.AuditEntry {
	planned, started := replayEntry(r.Row.ProjectID, r.Row.ID, "planned", r.By), replayEntry(r.Row.ProjectID, r.Row.ID, "started", r.By)
	planned.Data["events"], planned.Data["deliveries"], planned.Data["note"] = plan.Events, plan.Deliveries, r.Row.Note
	switch {
	case r.Row.Backfill:
		const day = 24 * time.Hour
		started.Data["backfill_days"] = int(r.Selection.To.Sub(r.Selection.From).Round(day) / day)
		started.Data["endpoint_id"] = relay.PrefixEndpoint.Format(r.targets[0].EndpointID)
		return []relay.AuditEntry{started}
	case r.Starts:
		return []relay.AuditEntry{planned, started}
	}
	return []relay.AuditEntry{planned}
}

// bounds says where the job finds what it sends: retention keeps its hands off it.
func (r *PlanRun) bounds(row *ReplayRow) {
	lower, upper := idRange(&r.Selection, sqldb.FromMicros(row.CreatedAt))
	if walked(&r.Selection) {
		row.LowerID, row.UpperID, row.WalkEnd, row.CursorEvent = lower, upper, r.Settled, slices.Clone(lower)
		if row.Backfill {
			row.WalkEnd = sqldb.IDBound(r.Selection.To.Add(time.Millisecond))
			row.UpperID = row.WalkEnd
		}
		return
	}
	row.LowerID, row.UpperID = row.UpperID, sqldb.ZeroID()
	if !r.First.IsZero() {
		row.LowerID, row.UpperID = r.First[:], sqldb.NextID(r.Newest)
	}
}
