package db

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"
)

const (
	pruneRows = 1000
	// foldAfter is how long statistics keep their minutes; then they are
	// summed up by hours.
	foldAfter = 48 * time.Hour
	// beatKept is how long a process that stopped is still listed.
	beatKept = 24 * time.Hour
)

// Prune removes what has expired and folds old statistics, a little in each
// transaction.
func (s *Store) Prune(ctx context.Context) error {
	if err := s.checkClocks(ctx); err != nil {
		return err
	}
	return errors.Join(
		s.PruneSessions(ctx),
		s.pruneExpired(ctx, "idempotency_keys", "caller, key"),
		s.pruneExpired(ctx, "dedup_keys", "source_id, key"),
		s.pruneBeats(ctx),
		s.foldStats(ctx),
	)
}

// pruneExpired deletes rows of a table with an index on expires_at.
func (s *Store) pruneExpired(ctx context.Context, table, pk string) error {
	for {
		var gone int64
		err := s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
			some := tx.NewSelect().Table(table).ColumnExpr(pk).Where("expires_at <= ?", micros(s.Now())).OrderExpr("expires_at").Limit(pruneRows)
			result, err := tx.NewDelete().Table(table).Where("("+pk+") IN (?)", some).Exec(ctx)
			if err == nil {
				gone, err = result.RowsAffected()
			}
			return err
		})
		if err != nil || gone < pruneRows {
			return err
		}
	}
}

func (s *Store) pruneBeats(ctx context.Context) error {
	return s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Table("processes").Where("beat_at < ?", micros(s.Now().Add(-beatKept))).Exec(ctx)
		return err
	})
}

// foldStats adds the minutes of an hour to its first one, an hour at a time.
func (s *Store) foldStats(ctx context.Context) error {
	before := minuteOf(s.Now().Add(-foldAfter)) / 60 * 60
	for {
		done := false
		err := s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
			var oldest []int64
			q := tx.NewSelect().Table("stats").Column("minute").Where("minute % 60 <> 0 AND minute < ?", before).OrderExpr("minute").Limit(1)
			if err := q.Scan(ctx, &oldest); err != nil || len(oldest) == 0 {
				done = true
				return err
			}
			hour := oldest[0] / 60 * 60
			_, err := tx.ExecContext(ctx, `INSERT INTO stats (project_id, kind, ref_id, minute, n)
				SELECT project_id, kind, ref_id, ?, sum(n) FROM stats WHERE minute % 60 <> 0 AND minute > ? AND minute < ?
				GROUP BY project_id, kind, ref_id
				ON CONFLICT (project_id, minute, kind, ref_id) DO UPDATE SET n = stats.n + excluded.n`, hour, hour, hour+60)
			if err != nil {
				return err
			}
			_, err = tx.NewDelete().Table("stats").Where("minute % 60 <> 0 AND minute > ? AND minute < ?", hour, hour+60).Exec(ctx)
			return err
		})
		if err != nil || done {
			return err
		}
	}
}
