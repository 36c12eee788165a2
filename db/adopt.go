package db

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// ClaimRef names a claim: what a task in Redis says.
type ClaimRef struct {
	DeliveryID relay.ID
	Fence      int64
}

// Adopt takes over claims whose task came to this process: those that another
// process made, or, with own, those of this one that others may have adopted.
// What was recorded, adopted or reclaimed meanwhile is left out.
func (s *Store) Adopt(ctx context.Context, lease Lease, own bool, refs []ClaimRef) ([]Claim, error) {
	query := `UPDATE deliveries SET fence = fence + 1, lease_until = ?, lease_owner = ?
		WHERE id = ? AND fence = ? AND lease_until IS NOT NULL AND lease_owner <> ? RETURNING ` + claimColumns
	if own {
		query = strings.Replace(query, "lease_owner <> ?", "lease_owner = ?", 1)
	}
	// One order for all, so that two processes cannot wait for each other.
	refs = slices.SortedFunc(slices.Values(refs), func(a, b ClaimRef) int { return bytes.Compare(a.DeliveryID[:], b.DeliveryID[:]) })
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
	if err != nil {
		return nil, err // what was scanned was rolled back
	}
	return claims, nil
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
