package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// On SQLite nobody can come between picking and taking: both run on the one
// writing connection. The lane and the limit are written out, for SQLite plans
// a statement anew whenever either of them is bound to another value.
const (
	sqlitePick = `SELECT ` + claimColumns + ` FROM deliveries WHERE endpoint_id = ? AND lane = %d AND due_at IS NOT NULL AND due_at <= ?
		ORDER BY due_at, project_id, id LIMIT 1000`
	sqliteTake = "UPDATE deliveries SET fence = fence + 1, due_at = NULL, lease_until = ?, lease_owner = ? WHERE project_id = ? AND id = ?"
)

func pickOf(lane relay.Lane) string { return fmt.Sprintf(sqlitePick, lane) }

// ClaimStatements are what claims on SQLite run.
var ClaimStatements = []string{sqliteTake, pickOf(relay.LaneLive), pickOf(relay.LaneRetry), pickOf(relay.LaneReplay)}

// claiming is a claim on its way into a commit that it shares.
type claiming struct {
	ClaimRequest
	at     claimTimes
	claims []Claim
	wait   time.Duration
	done   chan error
}

func (c *claiming) Weight() int    { return 0 }
func (c *claiming) Finish(e error) { c.done <- e }

func (s *Store) claimSQLite(ctx context.Context, q ClaimRequest, at claimTimes) ([]Claim, time.Duration, error) {
	c := &claiming{ClaimRequest: q, at: at, done: make(chan error, 1)}
	if err := s.receiver.Submit(ctx, c); err != nil {
		return nil, 0, err
	}
	err := <-c.done
	return c.claims, c.wait, err
}

// sqliteClaimer claims on the one writing connection.
type sqliteClaimer struct {
	tx    sqldb.SQLiteTx
	taken *sql.Stmt
}

func (c sqliteClaimer) readWindow(ctx context.Context, endpoint relay.ID) (log []byte, err error) {
	if err = c.tx.QueryRowContext(ctx, readWindow, endpoint[:]).Scan(&log); errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return log, err
}

func (c sqliteClaimer) leased(ctx context.Context, endpoint relay.ID) (n int, err error) {
	err = c.tx.QueryRowContext(ctx, countLeased, endpoint[:]).Scan(&n)
	return n, err
}

func (c sqliteClaimer) writeWindow(ctx context.Context, endpoint relay.ID, log []byte) error {
	_, err := c.tx.ExecContext(ctx, writeWindow, endpoint[:], log)
	return err
}

func (c sqliteClaimer) take(ctx context.Context, endpoint relay.ID, lane relay.Lane, most int, at claimTimes) ([]Claim, error) {
	picked, err := pickClaims(ctx, c.tx.Stmt(ctx, pickOf(lane)), most, endpoint[:], at.now)
	if err != nil {
		return nil, err
	}
	for i := range picked {
		p := &picked[i]
		if _, err := c.taken.ExecContext(ctx, at.until, at.owner, p.ProjectID[:], p.DeliveryID[:]); err != nil {
			return nil, err
		}
		p.Fence++
	}
	return picked, nil
}

// run picks and takes within a transaction.
func (c *claiming) run(ctx context.Context, tx sqldb.SQLiteTx) (err error) {
	c.claims, c.wait, err = c.claimWith(ctx, sqliteClaimer{tx, tx.Stmt(ctx, sqliteTake)}, c.at)
	return err
}

// pickClaims reads the first rows of a query, most at most.
func pickClaims(ctx context.Context, pick *sql.Stmt, most int, args ...any) ([]Claim, error) {
	rows, err := pick.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var claims []Claim
	for len(claims) < most && rows.Next() {
		c, err := scanClaim(rows)
		if err != nil {
			return nil, err
		}
		claims = append(claims, c)
	}
	return claims, rows.Err()
}
