package db

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// planRun goes through what a job selects, adds it up, and writes down what
// cannot be walked through later, because whether it belongs may change.
type planRun struct {
	*Store
	*plan
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
	if err := s.refreshConfig(ctx); err != nil {
		return false, err
	}
	p, err := openPlan(row)
	if err != nil {
		return false, err
	}
	r := &planRun{Store: s, plan: p}
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
	return planned, translate(err)
}

// takePlan makes a plan its caller's own: whoever worked on it before can write
// nothing more, and pairs that the state does not know of are removed.
func (s *Store) takePlan(ctx context.Context, id relay.ID) (*replayRow, error) {
	var row replayRow
	taken := false
	err := s.write(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		if row, err = s.lockReplay(ctx, tx, id); err != nil || relay.ReplayStatus(row.Status) != relay.ReplayPlanning {
			return err
		}
		st, err := fromJSON[planState](row.Planning)
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
func (r *planRun) run(ctx context.Context, enough func() bool) error {
	for bytes.Compare(r.From, r.Before) < 0 {
		step := r.ofEvents
		switch {
		case bytes.Compare(r.From, r.Settled) < 0:
			step = r.countSettled
		case r.selection.OfDeliveries():
			step = r.ofDeliveries
		case len(r.selection.EventIDs) > 0:
			step = r.ofIDs
		}
		if err := step(ctx, enough); err != nil {
			return err
		}
	}
	return nil
}

// end goes on with nothing: what is selected beyond MaxEvents is not looked at.
func (r *planRun) end() { r.From = r.Before }

var (
	planColumns = columnsOf(cols(kText, "planning"), cols(kInt, "updated_at"), cols(kBytes, "id"), cols(kInt, "was"))
	// savePlan says where a planning stands, if it is still its writer's.
	savePlan = &bulk{
		sqlite: "UPDATE replays SET planning = ?, updated_at = ? WHERE id = ? AND page = ? AND status = 'planning'",
		pg: "UPDATE replays t SET planning = v.planning, updated_at = v.updated_at FROM " + unnest(planColumns) +
			" WHERE t.id = v.id AND t.page = v.was AND t.status = 'planning' RETURNING t.id",
		columns: planColumns, key: 2,
	}
)

// commit writes rows, if there are any, together with the state that they follow.
func (r *planRun) commit(ctx context.Context, rows *work) error {
	at := &work{bulk: savePlan}
	at.add(r.saved, micros(r.Now()), r.row.ID[:], r.row.Page)
	return r.background.do(ctx, func() error {
		return r.hot.phases(ctx, lazy, func(run func(...*work) error) error {
			if err := run(at); err != nil {
				return err
			}
			if !at.hit[0] {
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
func (r *planRun) save(ctx context.Context) error {
	r.saved = jsonText(r.planState)
	return r.commit(ctx, nil)
}

// finish makes a job that is gone through a planned one, or a running one.
func (r *planRun) finish(ctx context.Context) error {
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
	countNamed(&r.selection)
	row, now := *r.row, micros(r.Now())
	row.Status, row.Planning, row.UpdatedAt = string(relay.ReplayPlanned), "", now
	row.Total, row.Selection, row.Targets, row.Plan = plan.Pairs, jsonText(r.selection), jsonText(r.targets), jsonText(plan)
	r.bounds(&row)
	if r.Starts {
		row.Status, row.StartedAt = string(relay.ReplayRunning), now
	}
	return r.Store.write(ctx, func(ctx context.Context, tx bun.Tx) error {
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
			if err := r.audit(ctx, tx, entry); err != nil {
				return err
			}
		}
		return nil
	})
}

// entries are what the audit log says of a job that is planned.
func (r *planRun) entries(plan *relay.ReplayPlan) []relay.AuditEntry {
	planned, started := replayEntry(r.row.ProjectID, r.row.ID, "planned", r.By), replayEntry(r.row.ProjectID, r.row.ID, "started", r.By)
	planned.Data["events"], planned.Data["deliveries"], planned.Data["note"] = plan.Events, plan.Deliveries, r.row.Note
	switch {
	case r.row.Backfill:
		const day = 24 * time.Hour
		started.Data["backfill_days"] = int(r.selection.To.Sub(r.selection.From).Round(day) / day)
		started.Data["endpoint_id"] = relay.PrefixEndpoint.Format(r.targets[0].EndpointID)
		return []relay.AuditEntry{started}
	case r.Starts:
		return []relay.AuditEntry{planned, started}
	}
	return []relay.AuditEntry{planned}
}

// bounds says where the job finds what it sends: retention keeps its hands off it.
func (r *planRun) bounds(row *replayRow) {
	lower, upper := idRange(&r.selection, fromMicros(row.CreatedAt))
	if walked(&r.selection) {
		row.LowerID, row.UpperID, row.WalkEnd, row.CursorEvent = lower, upper, r.Settled, slices.Clone(lower)
		if row.Backfill {
			row.WalkEnd = idBound(r.selection.To.Add(time.Millisecond))
			row.UpperID = row.WalkEnd
		}
		return
	}
	row.LowerID, row.UpperID = row.UpperID, zeroID()
	if !r.First.IsZero() {
		row.LowerID, row.UpperID = r.First[:], nextID(r.Newest)
	}
}
