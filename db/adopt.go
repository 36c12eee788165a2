package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// ClaimRef names a claim: what a task in Redis says.
type ClaimRef struct {
	DeliveryID relay.ID
	Fence      int64
}

// Adopt takes over claims that another process made and whose task came to
// this one. Those that were recorded, adopted or reclaimed meanwhile are left
// out.
func (s *Store) Adopt(ctx context.Context, lease Lease, refs []ClaimRef) ([]Claim, error) {
	const query = `UPDATE deliveries SET fence = fence + 1, lease_until = ?, lease_owner = ?
		WHERE id = ? AND fence = ? AND lease_until IS NOT NULL AND lease_owner <> ? RETURNING ` + claimColumns
	var claims []Claim
	err := s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		claims = claims[:0]
		for _, ref := range refs {
			c, err := scanClaim(tx.Tx.QueryRowContext(ctx, s.rebind(query),
				micros(lease.Until), lease.Owner, ref.DeliveryID[:], ref.Fence, lease.Owner))
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			claims = append(claims, c)
		}
		return nil
	})
	return claims, err
}

// Release gives claims back that were never begun; they are due at due and no
// attempt is counted.
func (s *Store) Release(ctx context.Context, due time.Time, refs []ClaimRef) error {
	return s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, ref := range refs {
			_, err := tx.NewUpdate().TableExpr("deliveries").Set("due_at = ?", micros(due)).
				Set("lease_until = NULL, lease_owner = NULL").
				Where("id = ? AND fence = ? AND lease_until IS NOT NULL", ref.DeliveryID, ref.Fence).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
