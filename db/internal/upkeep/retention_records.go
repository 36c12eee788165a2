package upkeep

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/replays"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// expirePlans cancels plans that nobody started: they would keep their events
// for ever.
func (s *Store) expirePlans(ctx context.Context, preview bool) (int, error) {
	var rows []replays.ReplayRow
	err := s.R.NewSelect().Model(&rows).ModelTableExpr(s.Using("replays", "replays_open")).Column("id", "project_id").
		Where("(finished_at IS NULL OR settling) AND status = 'planned' AND created_at < ?", sqldb.Micros(s.Now().Add(-plansKept))).Scan(ctx)
	if err != nil || preview {
		return len(rows), sqldb.Translate(err)
	}
	for _, r := range rows {
		_, err := s.ChangeReplay(ctx, r.ProjectID, r.ID, "cancelled", relay.Actor{Kind: relay.ActorSystem, Name: "retention"}, func(row *replays.ReplayRow, data map[string]any) error {
			const reason = "Nobody started the plan."
			data["reason"] = reason
			row.FinishedAt = sqldb.Micros(s.Now())
			return row.Become(relay.ReplayCancelled, reason, relay.ReplayPlanned)
		})
		if err != nil && relay.KindOf(err) != relay.KindConflict {
			return 0, err
		}
	}
	return len(rows), nil
}

// retainReplays removes jobs that were over long ago, and what plans that
// never came to be wrote down.
func (s *Store) retainReplays(ctx context.Context, preview bool) (int, error) {
	var ids []relay.ID
	err := s.R.NewSelect().TableExpr(s.Using("replays", "replays_finished")).Column("id").
		Where("finished_at IS NOT NULL AND finished_at < ?", sqldb.Micros(s.Now().Add(-replaysKept))).Scan(ctx, &ids)
	if err != nil || preview {
		return len(ids), sqldb.Translate(err)
	}
	for _, id := range ids {
		if err := s.DeletePairs(ctx, id); err != nil {
			return 0, err
		}
		err := s.Later(ctx, func(ctx context.Context, tx bun.Tx) error {
			if _, err := tx.NewDelete().Table("replay_counts").Where("replay_id = ?", id).Exec(ctx); err != nil {
				return err
			}
			_, err := tx.NewDelete().Table("replays").Where("id = ?", id).Exec(ctx)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return len(ids), s.dropOrphans(ctx)
}

func (s *Store) dropOrphans(ctx context.Context) error {
	for from := sqldb.ZeroID(); ; {
		var next []relay.ID
		err := s.R.NewSelect().Table("replay_pairs").Column("replay_id").Where("replay_id >= ?", from).OrderExpr("replay_id").Limit(1).Scan(ctx, &next)
		if err != nil || len(next) == 0 {
			return sqldb.Translate(err)
		}
		id := next[0]
		from = sqldb.NextID(id)
		there, err := s.R.NewSelect().Table("replays").Where("id = ? AND finished_at IS NULL", id).Exists(ctx)
		if err != nil {
			return sqldb.Translate(err)
		}
		if !there && id.Time().Before(s.Now().Add(-unfinishedPlanAge)) {
			if err := s.DeletePairs(ctx, id); err != nil {
				return err
			}
		}
	}
}

func (s *Store) retainAudit(ctx context.Context, o RetentionOptions, preview bool) (removed int, left bool, err error) {
	days := o.AuditDays
	if days <= 0 {
		days = defaultAuditDays
	}
	before := sqldb.IDBound(s.Now().AddDate(0, 0, -days))
	if preview {
		removed, err = s.CountOf(ctx, s.R.NewSelect().Table("audit_log").ColumnExpr("1").Where("id < ?", before))
		return removed, false, err
	}
	for {
		var gone int64
		err := s.Later(ctx, func(ctx context.Context, tx bun.Tx) error {
			some := tx.NewSelect().Table("audit_log").Column("id").Where("id < ?", before).OrderExpr("id").Limit(RetentionRows)
			result, err := tx.NewDelete().Table("audit_log").Where("id IN (?)", some).Exec(ctx)
			if err == nil {
				gone, err = result.RowsAffected()
			}
			return err
		})
		if removed += int(gone); err != nil || gone < RetentionRows || o.enough() {
			return removed, gone == RetentionRows, err
		}
	}
}

const retentionHour = 6 // UTC

// RetentionDue reports whether retention has not run since it last was to:
// daily at six, UTC.
func (s *Store) RetentionDue(ctx context.Context) (bool, error) {
	now := s.Now()
	due := time.Date(now.Year(), now.Month(), now.Day(), retentionHour, 0, 0, 0, time.UTC)
	if due.After(now) {
		due = due.AddDate(0, 0, -1)
	}
	var last []int64
	if err := s.R.NewSelect().Table("meta").Column("number").Where("name = 'retention_at'").Scan(ctx, &last); err != nil {
		return false, sqldb.Translate(err)
	}
	if len(last) == 0 { // a new installation: nothing is old yet
		return false, s.RetentionDone(ctx)
	}
	return sqldb.FromMicros(last[0]).Before(due), nil
}

// RetentionDone remembers that retention has run.
func (s *Store) RetentionDone(ctx context.Context) error {
	return s.Later(ctx, func(ctx context.Context, tx bun.Tx) error {
		return sqldb.SetMeta(ctx, tx, "retention_at", sqldb.Micros(s.Now()), nil)
	})
}
