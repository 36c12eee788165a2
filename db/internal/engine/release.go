package engine

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// ClaimRef names a claim.
type ClaimRef struct {
	DeliveryID relay.ID
	Fence      int64
}

// Release gives claims back that were never begun; they are due at due and no
// attempt is counted.
func (s *Store) Release(ctx context.Context, due time.Time, refs []ClaimRef) error {
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, ref := range refs {
			_, err := tx.NewUpdate().TableExpr("deliveries").Set("due_at = ?", sqldb.Micros(due)).
				Set("lease_until = NULL, lease_owner = NULL").
				Where("id = ? AND fence = ? AND lease_until IS NOT NULL", ref.DeliveryID, ref.Fence).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
