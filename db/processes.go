package db

import (
	"context"

	"github.com/uptrace/bun"
)

// Beat says that a process is alive, where, and what it does.
func (s *Store) Beat(ctx context.Context, id int64, host, roles string) error {
	now := micros(s.Now())
	return s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO processes (id, host, roles, started_at, beat_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET host = excluded.host, roles = excluded.roles, beat_at = excluded.beat_at`,
			id, clean(host), clean(roles), now, now)
		return err
	})
}
