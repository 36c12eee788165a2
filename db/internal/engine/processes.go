package engine

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// NobodyWorks reports whether a project has deliveries that are due and no process
// is alive that would send them.
func (s *Store) NobodyWorks(ctx context.Context, project relay.ID) (bool, error) {
	alive, err := s.R.NewSelect().Table("processes").ColumnExpr("1").
		Where("beat_at > ? AND roles LIKE '%worker%'", sqldb.Micros(s.Now().Add(-deadAfter))).Exists(ctx)
	if err != nil || alive {
		return false, sqldb.Translate(err)
	}
	for _, e := range s.Config().EndpointsOf(project) {
		if e.Status == relay.EndpointPaused {
			continue
		}
		due, err := s.R.NewSelect().TableExpr(s.Using("deliveries", "deliveries_due")).ColumnExpr("1").
			Where("endpoint_id = ? AND due_at IS NOT NULL AND due_at <= ?", e.ID, sqldb.Micros(s.Now())).Limit(1).Exists(ctx)
		if err != nil || due {
			return due, sqldb.Translate(err)
		}
	}
	return false, nil
}

// Beat says that a process is alive, where, and what it does.
func (s *Store) Beat(ctx context.Context, id int64, host, roles string) error {
	const query = `INSERT INTO processes (id, host, roles, started_at, beat_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET host = excluded.host, roles = excluded.roles, beat_at = excluded.beat_at`
	now := sqldb.Micros(s.Now())
	args := []any{id, sqldb.Clean(host), sqldb.Clean(roles), now, now}
	if pg, ok := s.Hot.(*sqldb.PGHot); ok { // nothing else keeps its connection busy
		_, err := pg.Control.Exec(ctx, s.Rebind(query), args...)
		return sqldb.Translate(err)
	}
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
}

// AliveProcesses are those that have said so lately.
func (s *Store) AliveProcesses(ctx context.Context) ([]int64, error) {
	var ids []int64
	err := s.R.NewSelect().Table("processes").Column("id").Where("beat_at > ?", sqldb.Micros(s.Now().Add(-4*deadAfter))).Scan(ctx, &ids)
	return ids, sqldb.Translate(err)
}
