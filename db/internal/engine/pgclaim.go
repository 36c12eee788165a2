package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

const pgClaim = `WITH due(due_project, due_id, was_due) AS (
		SELECT d.project_id, d.id, d.due_at FROM deliveries d WHERE d.endpoint_id = $1 AND d.lane = $2 AND d.due_at <= $4
		ORDER BY d.due_at LIMIT $3 FOR UPDATE SKIP LOCKED
	)
	UPDATE deliveries SET fence = fence + 1, due_at = NULL, lease_until = $5, lease_owner = $6
	FROM due WHERE project_id = due_project AND id = due_id RETURNING was_due, ` + claimColumns

// dueClaim is a claim with when it was due: an UPDATE answers in no order.
type dueClaim struct {
	Claim
	due int64
}

// claimPostgres asks for an endpoint's lanes in turn, a lane only for what the ones
// before it left over.
func (s *Store) claimPostgres(ctx context.Context, h *sqldb.PGHot, q ClaimRequest, at claimTimes) (claims []Claim, wait time.Duration, err error) {
	err = pgx.BeginFunc(ctx, h.Lazy, func(tx pgx.Tx) error {
		claims, wait = nil, 0
		if q.MaxLeased > 0 || q.Rate > 0 { // its limits hold over all processes: one of them at a time
			const one = "SELECT pg_advisory_xact_lock(hashtextextended(encode($1, 'hex'), 0))"
			if _, err := tx.Exec(ctx, one, q.EndpointID[:]); err != nil {
				return err
			}
		}
		claims, wait, err = q.claimWith(ctx, pgClaimer{s, tx}, at)
		return err
	})
	return claims, wait, err
}

// pgClaimer claims in one statement a lane.
type pgClaimer struct {
	s  *Store
	tx pgx.Tx
}

func (c pgClaimer) readWindow(ctx context.Context, endpoint relay.ID) (log []byte, err error) {
	if err = c.tx.QueryRow(ctx, c.s.Rebind(readWindow), endpoint[:]).Scan(&log); errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return log, err
}

func (c pgClaimer) leased(ctx context.Context, endpoint relay.ID) (n int, err error) {
	err = c.tx.QueryRow(ctx, c.s.Rebind(countLeased), endpoint[:]).Scan(&n)
	return n, err
}

func (c pgClaimer) writeWindow(ctx context.Context, endpoint relay.ID, log []byte) error {
	_, err := c.tx.Exec(ctx, c.s.Rebind(writeWindow), endpoint[:], log)
	return err
}

func (c pgClaimer) take(ctx context.Context, endpoint relay.ID, lane relay.Lane, most int, at claimTimes) ([]Claim, error) {
	rows, err := c.tx.Query(ctx, pgClaim, endpoint[:], int64(lane), most, at.now, at.until, at.owner)
	if err != nil {
		return nil, err
	}
	got, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (dueClaim, error) {
		var c dueClaim
		var err error
		c.Claim, err = scanClaim(row, &c.due)
		return c, err
	})
	slices.SortFunc(got, func(a, b dueClaim) int { return cmp.Compare(a.due, b.due) })
	claims := make([]Claim, len(got))
	for i := range got {
		claims[i] = got[i].Claim
	}
	return claims, err
}
