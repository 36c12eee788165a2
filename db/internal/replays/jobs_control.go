package replays

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// StartReplay sets a planned job going.
func (s *Store) StartReplay(ctx context.Context, project, id relay.ID, by relay.Actor) (relay.ReplayJob, error) {
	return s.ChangeReplay(ctx, project, id, "started", by, func(row *ReplayRow, _ map[string]any) error {
		row.StartedAt = sqldb.Micros(s.Now())
		return row.Become(relay.ReplayRunning, "", relay.ReplayPlanned)
	})
}

// PauseReplay stops a running job until it is resumed: what is being sent
// ends, what waits goes on waiting.
func (s *Store) PauseReplay(ctx context.Context, project, id relay.ID, reason string, by relay.Actor) (relay.ReplayJob, error) {
	return s.ChangeReplay(ctx, project, id, "paused", by, func(row *ReplayRow, data map[string]any) error {
		data["reason"] = reason
		row.Settling = true
		return row.Become(relay.ReplayPaused, sqldb.Clean(reason))
	})
}

// ResumeReplay lets a paused job go on. Its brake looks only at what is sent
// from now on, and its canary has done its work.
func (s *Store) ResumeReplay(ctx context.Context, project, id relay.ID, by relay.Actor) (relay.ReplayJob, error) {
	return s.ChangeReplay(ctx, project, id, "resumed", by, func(row *ReplayRow, _ map[string]any) error {
		row.CanaryPassed = row.CanaryPassed || row.Made >= row.Canary
		row.BrakeFrom = sqldb.IDBound(s.Now())
		row.Settling = true
		return row.Become(relay.ReplayRunning, "", relay.ReplayPaused)
	})
}

// CancelReplay ends a job for good. Deliveries of it that wait are discarded;
// what is being sent ends.
func (s *Store) CancelReplay(ctx context.Context, project, id relay.ID, by relay.Actor) (relay.ReplayJob, error) {
	return s.ChangeReplay(ctx, project, id, "cancelled", by, func(row *ReplayRow, _ map[string]any) error {
		row.Settling = row.StartedAt != 0
		row.FinishedAt = sqldb.Micros(s.Now())
		return row.Become(relay.ReplayCancelled, "")
	})
}

// SetReplayRate changes how many deliveries a second a job makes.
func (s *Store) SetReplayRate(ctx context.Context, project, id relay.ID, rate int, by relay.Actor) (relay.ReplayJob, error) {
	if err := relay.ValidateReplayRate(rate); err != nil {
		return relay.ReplayJob{}, err
	}
	return s.ChangeReplay(ctx, project, id, "rate_changed", by, func(row *ReplayRow, data map[string]any) error {
		if relay.ReplayStatus(row.Status).Final() {
			return row.conflict()
		}
		data["rate_limit"], data["was"] = rate, row.RateLimit
		row.RateLimit = rate
		return nil
	})
}

// Become moves a job on, from one of the states given if there are any.
func (r *ReplayRow) Become(next relay.ReplayStatus, reason string, from ...relay.ReplayStatus) error {
	now := relay.ReplayStatus(r.Status)
	ok := now.CanBecome(next)
	for _, f := range from {
		ok = ok && now == f
	}
	if !ok {
		return r.conflict()
	}
	r.Status, r.Reason = string(next), reason
	return nil
}

func (r *ReplayRow) conflict() error {
	return &relay.Error{Kind: relay.KindConflict, Detail: fmt.Sprintf("The replay job is %s; that is not possible now.", r.Status)}
}

// controlColumns are what people change of a job; the rest is the runner's.
var controlColumns = []string{"status", "reason", "rate_limit", "canary_passed", "brake_from", "settling", "started_at", "finished_at", "updated_at"}

// ChangeReplay changes a job for somebody, with an entry in the audit log.
func (s *Store) ChangeReplay(ctx context.Context, project, id relay.ID, action string, by relay.Actor, change func(*ReplayRow, map[string]any) error) (relay.ReplayJob, error) {
	entry := replayEntry(project, id, action, by)
	err := s.WriteAudited(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		row, err := s.lockReplay(ctx, tx, id)
		if err != nil {
			return err
		}
		if row.ProjectID != project {
			return relay.ErrNotFound
		}
		was := row.Status
		if err := change(&row, entry.Data); err != nil {
			return err
		}
		if row.Status != was && relay.ReplayStatus(row.Status) == relay.ReplayRunning {
			if err := s.checkReplays(ctx, tx, project, relay.ReplayRunning, relay.MaxReplaysRunning); err != nil {
				return err
			}
		}
		row.UpdatedAt = sqldb.Micros(s.Now())
		return saveReplay(ctx, tx, &row)
	})
	if err != nil {
		return relay.ReplayJob{}, err
	}
	// What is left over is the runner's: it settles jobs too.
	if err := s.SettleReplay(ctx, id); err != nil && relay.KindOf(err) != relay.KindUnavailable {
		return relay.ReplayJob{}, err
	}
	s.tellReplay(id)
	return s.Replay(ctx, project, id)
}

// OnReplay has fn called when a job was started or changed through this store.
func (s *Store) OnReplay(fn func(relay.ID)) { s.onReplay.Store(&fn) }

func (s *Store) tellReplay(id relay.ID) {
	if fn := s.onReplay.Load(); fn != nil {
		(*fn)(id)
	}
}

func saveReplay(ctx context.Context, tx bun.Tx, row *ReplayRow) error {
	_, err := tx.NewUpdate().Model(row).Column(controlColumns...).WherePK().Exec(ctx)
	return err
}

func replayEntry(project, id relay.ID, action string, by relay.Actor) relay.AuditEntry {
	return relay.AuditEntry{ProjectID: project, Actor: by, Action: "replay_job." + action,
		Target: relay.PrefixReplay.Format(id), Data: map[string]any{}}
}

func (s *Store) lockReplay(ctx context.Context, tx bun.Tx, id relay.ID) (ReplayRow, error) {
	var row ReplayRow
	q := tx.NewSelect().Model(&row).Where("id = ?", id)
	if s.PG {
		q = q.For("UPDATE")
	}
	err := q.Scan(ctx)
	return row, err
}

const (
	// settleMost is for how long one call settles; the runner calls again.
	settleMost = 500 * time.Millisecond
)

// SettleReplay makes the deliveries of a job follow its last change, a little
// in each transaction: those of a paused job are parked, those of a resumed
// one are due again, those of a cancelled one are discarded. What is being
// sent is left alone until it has ended; the runner then calls again.
func (s *Store) SettleReplay(ctx context.Context, id relay.ID) error {
	for start := time.Now(); ; {
		more := false
		err := s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			more = false
			row, err := s.lockReplay(ctx, tx, id)
			if err != nil || !row.Settling {
				return err
			}
			if more, err = s.settleSome(ctx, tx, &row); err != nil || more {
				return err
			}
			sent, err := tx.NewSelect().Table("deliveries").
				Where("replay_id = ? AND status IN ('pending', 'retrying') AND lease_until IS NOT NULL", id).Exists(ctx)
			if err != nil || sent && relay.ReplayStatus(row.Status) != relay.ReplayRunning {
				return err
			}
			row.Settling = false
			return saveReplay(ctx, tx, &row)
		})
		if err != nil && errors.Is(err, relay.ErrNotFound) {
			return nil
		}
		if err != nil || !more || time.Since(start) > settleMost {
			return err
		}
	}
}

// settleSome settles up to settleRows deliveries and reports whether there may
// be more. Those of a cancelled job are parked first, which is quick, and then
// discarded, which is not.
func (s *Store) settleSome(ctx context.Context, tx bun.Tx, row *ReplayRow) (more bool, err error) {
	const due = "due_at IS NOT NULL"
	var rows []engine.SettledRow
	switch relay.ReplayStatus(row.Status) {
	case relay.ReplayRunning:
		rows, err = s.setDue(ctx, tx, row, "due_at IS NULL AND lease_until IS NULL", s.Now())
	case relay.ReplayPaused:
		rows, err = s.setDue(ctx, tx, row, due, time.Time{})
	case relay.ReplayCancelled:
		if rows, err = s.setDue(ctx, tx, row, due, time.Time{}); err == nil && len(rows) == 0 {
			rows, err = s.undoSome(ctx, tx, row)
			return len(rows) == engine.SettleRows, err
		}
		return len(rows) > 0, err
	}
	return len(rows) == engine.SettleRows, err
}

// unsettled are some of a job's deliveries that are not final.
func (s *Store) unsettled(ctx context.Context, tx bun.Tx, row *ReplayRow, which string) ([]engine.SettledRow, error) {
	var rows []engine.SettledRow
	q := tx.NewSelect().Table("deliveries").Column("id", "event_id", "replay_id", "status").
		Where("replay_id = ? AND status IN ('pending', 'retrying')", row.ID).Where(which).Limit(engine.SettleRows)
	if s.PG {
		q = q.For("UPDATE")
	}
	err := q.Scan(ctx, &rows)
	return rows, err
}

// setDue makes some deliveries due at a time, or at none.
func (s *Store) setDue(ctx context.Context, tx bun.Tx, row *ReplayRow, which string, at time.Time) ([]engine.SettledRow, error) {
	rows, err := s.unsettled(ctx, tx, row, which)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	ids, _ := engine.SettledIDs(rows)
	_, err = tx.NewUpdate().Table("deliveries").Set("due_at = ?", sqldb.IntArg(sqldb.Micros(at))).
		Where("project_id = ? AND id IN (?)", row.ProjectID, bun.List(ids)).Exec(ctx)
	return rows, err
}

// undoSome discards some deliveries that are not being sent.
func (s *Store) undoSome(ctx context.Context, tx bun.Tx, row *ReplayRow) ([]engine.SettledRow, error) {
	rows, err := s.unsettled(ctx, tx, row, "lease_until IS NULL")
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	ids, events := engine.SettledIDs(rows)
	if err := s.LockReplays(ctx, tx, events); err != nil {
		return nil, err
	}
	// What they stood in for counts again, unless it was replayed once more.
	_, err = tx.NewUpdate().Table("deliveries").
		Set("replayed_by = (SELECT n.replayed_by FROM deliveries n WHERE n.project_id = ? AND n.id = deliveries.replayed_by)", row.ProjectID).
		Where("event_id IN (?) AND replayed_by IN (?)", bun.List(events), bun.List(ids)).Exec(ctx)
	if err != nil {
		return nil, err
	}
	return rows, s.Discard(ctx, tx, row.ProjectID, rows, "The replay job was cancelled.")
}
