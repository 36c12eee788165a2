package upkeep

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

const (
	pruneRows = 1000
	// foldAfter is how long statistics keep their minutes; then they are
	// summed up by hours.
	foldAfter = 48 * time.Hour
	// statsKept is for how long charts and sums go back.
	statsKept = 400 * 24 * time.Hour
	// beatKept is how long a process that stopped is still listed.
	beatKept = 24 * time.Hour
)

// Prune removes what has expired and folds old statistics, a little in each
// transaction, until there is enough for now; then there may be more.
func (s *Store) Prune(ctx context.Context, enough func() bool) (more bool, err error) {
	if err := s.checkClocks(ctx); err != nil {
		return false, err
	}
	err = errors.Join(
		s.pruneExpired(ctx, "sessions", "token", enough),
		s.pruneExpired(ctx, "idempotency_keys", "caller, key", enough),
		s.pruneExpired(ctx, "dedup_keys", "source_id, key", enough),
		s.pruneBeats(ctx),
		s.foldStats(ctx, enough),
		s.pruneStats(ctx, enough),
	)
	return err == nil && enough(), err
}

// pruneExpired deletes rows of a table with an index on expires_at.
func (s *Store) pruneExpired(ctx context.Context, table, pk string, enough func() bool) error {
	for {
		var gone int64
		err := s.Later(ctx, func(ctx context.Context, tx bun.Tx) error {
			some := tx.NewSelect().Table(table).ColumnExpr(pk).Where("expires_at <= ?", sqldb.Micros(s.Now())).OrderExpr("expires_at").Limit(pruneRows)
			result, err := tx.NewDelete().Table(table).Where("("+pk+") IN (?)", some).Exec(ctx)
			if err == nil {
				gone, err = result.RowsAffected()
			}
			return err
		})
		if err != nil || gone < pruneRows || enough() {
			return err
		}
	}
}

func (s *Store) pruneBeats(ctx context.Context) error {
	return s.Later(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Table("processes").Where("beat_at < ?", sqldb.Micros(s.Now().Add(-beatKept))).Exec(ctx)
		return err
	})
}

// foldStats adds the minutes of an hour to its first one, an hour at a time.
func (s *Store) foldStats(ctx context.Context, enough func() bool) error {
	before := engine.MinuteOf(s.Now().Add(-foldAfter)) / 60 * 60
	for {
		done := false
		err := s.Later(ctx, func(ctx context.Context, tx bun.Tx) error {
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
		if err != nil || done || enough() {
			return err
		}
	}
}

// pruneStats removes the statistics that nothing shows any more.
func (s *Store) pruneStats(ctx context.Context, enough func() bool) error {
	var projects []relay.ID
	if err := s.R.NewSelect().Table("projects").Column("id").Scan(ctx, &projects); err != nil {
		return sqldb.Translate(err)
	}
	before := engine.MinuteOf(s.Now().Add(-statsKept))
	for _, project := range projects {
		for gone := int64(pruneRows); gone == pruneRows && !enough(); {
			err := s.Later(ctx, func(ctx context.Context, tx bun.Tx) error {
				some := tx.NewSelect().Table("stats").ColumnExpr("minute, kind, ref_id").Where("project_id = ? AND minute < ?", project, before).
					OrderExpr("minute").Limit(pruneRows)
				result, err := tx.NewDelete().Table("stats").Where("project_id = ? AND (minute, kind, ref_id) IN (?)", project, some).Exec(ctx)
				if err == nil {
					gone, err = result.RowsAffected()
				}
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
