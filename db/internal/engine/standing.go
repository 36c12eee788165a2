package engine

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// Standing is whether a claim may still be acted on.
type Standing byte

// The standings of a claim.
const (
	ClaimLost  Standing = iota // recorded, discarded, reclaimed or retried by others
	ClaimHolds                 // its request may begin
	ClaimWaits                 // its endpoint or replay job is paused, or it is about to be discarded with either
)

// Standings looks claims on one endpoint up as they are now. It is to be asked
// when some time has passed since they were made, right before a request.
func (s *Store) Standings(ctx context.Context, claims []Claim) (map[relay.ID]Standing, error) {
	if len(claims) == 0 {
		return nil, nil
	}
	ids := make([]relay.ID, len(claims))
	for i := range claims {
		ids[i] = claims[i].DeliveryID
	}
	var rows []struct {
		ID      relay.ID
		Fence   int64
		Held    bool
		Waiting bool
	}
	err := s.R.NewSelect().TableExpr("deliveries AS d").
		Join("LEFT JOIN endpoints AS e ON e.id = d.endpoint_id").Join("LEFT JOIN replays AS r ON r.id = d.replay_id").
		Column("d.id", "d.fence").ColumnExpr("d.lease_until IS NOT NULL AS held").
		ColumnExpr("(coalesce(e.status, '') = 'paused' OR e.deleted_at IS NOT NULL OR coalesce(r.status, '') = 'paused' OR coalesce(r.settling, ?)) AS waiting", false).
		Where("d.project_id = ? AND d.id IN (?)", claims[0].ProjectID, bun.List(ids)).Scan(ctx, &rows)
	if err != nil {
		return nil, sqldb.Translate(err)
	}
	out := make(map[relay.ID]Standing, len(claims))
	for _, row := range rows {
		for i := range claims {
			if claims[i].DeliveryID != row.ID || claims[i].Fence != row.Fence || !row.Held {
				continue
			}
			if out[row.ID] = ClaimHolds; row.Waiting {
				out[row.ID] = ClaimWaits
			}
		}
	}
	return out, nil
}

// MarkAlone notes that a claim is being tried alone. The process that dies
// while it is so may have died of it.
func (s *Store) MarkAlone(ctx context.Context, c *Claim) error {
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().TableExpr("deliveries").Set("alone = fence").
			Where("project_id = ? AND id = ? AND fence = ?", c.ProjectID, c.DeliveryID, c.Fence).Exec(ctx)
		return err
	})
}
