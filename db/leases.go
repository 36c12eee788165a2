package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// TakeLease makes owner the holder of a named lease for ttl, and reports
// whether it is. The holder renews it by taking it again.
func (s *Store) TakeLease(ctx context.Context, name string, owner int64, ttl time.Duration) (bool, error) {
	now, mine := s.Now(), false
	err := s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO leases (name, owner, until) VALUES (?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
			WHERE leases.owner = excluded.owner OR leases.until <= ?`, name, owner, micros(now.Add(ttl)), micros(now))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		mine = n > 0
		return err
	})
	return mine && err == nil, err
}
