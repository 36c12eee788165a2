package db

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// ClaimRequest asks for due deliveries of one endpoint.
type ClaimRequest struct {
	EndpointID relay.ID
	Limit      int
	// Lanes to take from, in this order.
	Lanes []relay.Lane
	// Replays, if positive, bounds how many come from the replay lane.
	Replays int
	// MaxLeased, if positive, bounds the endpoint's deliveries in flight over
	// all processes, those now claimed included. On SQLite there is one
	// process, whose dispatcher counts by itself.
	MaxLeased int
}

// Claim is a delivery in the hands of this process until its lease ends. Only
// who knows its fence can record what came of it.
type Claim struct {
	DeliveryID  relay.ID
	Fence       int64
	ProjectID   relay.ID
	EventID     relay.ID
	EndpointID  relay.ID
	SourceID    relay.ID
	EventType   string
	Lane        relay.Lane
	Attempts    int // made in this cycle so far
	Interrupted int
	Trigger     relay.Trigger
	ReplayID    relay.ID
	ReplayOf    relay.ID
	CreatedAt   time.Time
}

// most is how many may come from a lane when left may come in all.
func (q *ClaimRequest) most(lane relay.Lane, left int) int {
	if lane == relay.LaneReplay && q.Replays > 0 {
		return min(left, q.Replays)
	}
	return left
}

type claimTimes struct {
	now, until, owner int64
}

// Claim takes due deliveries for owner until a time. It never waits for other
// processes that claim. A claim that is lost in a power cut only means that
// the delivery is due again, so it does not wait for the disk.
func (s *Store) Claim(ctx context.Context, lease Lease, requests []ClaimRequest) ([]Claim, error) {
	claims, err := s.hot.claim(ctx, requests, claimTimes{micros(s.Now()), micros(lease.Until), lease.Owner})
	return claims, translate(err)
}

const claimColumns = `id, fence, project_id, event_id, endpoint_id, source_id, event_type, lane, attempts,
	interrupted, event_trigger, replay_id, replay_of, created_at`

type rowScanner interface{ Scan(...any) error }

func scanClaim(row rowScanner) (Claim, error) {
	var c Claim
	var created int64
	err := row.Scan(&c.DeliveryID, &c.Fence, &c.ProjectID, &c.EventID, &c.EndpointID, &c.SourceID, &c.EventType,
		&c.Lane, &c.Attempts, &c.Interrupted, &c.Trigger, &c.ReplayID, &c.ReplayOf, &created)
	c.CreatedAt = fromMicros(created)
	return c, err
}

const (
	sqlitePick = `SELECT project_id, id FROM deliveries WHERE endpoint_id = ? AND lane = ? AND due_at IS NOT NULL AND due_at <= ?
		ORDER BY due_at LIMIT ?`
	sqliteTake = `UPDATE deliveries SET fence = fence + 1, due_at = NULL, lease_until = ?, lease_owner = ?
		WHERE project_id = ? AND id = ? RETURNING ` + claimColumns
)

// claim on SQLite runs on the one writing connection, so nobody can come
// between picking and taking.
func (h *sqliteHot) claim(ctx context.Context, requests []ClaimRequest, at claimTimes) ([]Claim, error) {
	conn, err := h.s.w.DB.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	ctx = context.WithoutCancel(ctx)
	if _, err := conn.ExecContext(ctx, "PRAGMA synchronous = NORMAL"); err != nil {
		return nil, err
	}
	defer func() { _, _ = conn.ExecContext(ctx, "PRAGMA synchronous = FULL") }()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	pick, take := tx.StmtContext(ctx, h.picks), tx.StmtContext(ctx, h.takes)
	var claims []Claim
	for _, q := range requests {
		left := q.Limit
		for _, lane := range q.Lanes {
			if left <= 0 {
				break
			}
			due, err := scanKeys(pick.QueryContext(ctx, q.EndpointID[:], int64(lane), at.now, q.most(lane, left)))
			if err != nil {
				return nil, err
			}
			for _, k := range due {
				c, err := scanClaim(take.QueryRowContext(ctx, at.until, at.owner, k.project[:], k.id[:]))
				if err != nil {
					return nil, err
				}
				claims = append(claims, c)
			}
			left -= len(due)
		}
	}
	return claims, tx.Commit()
}

type rowKey struct{ project, id relay.ID }

func scanKeys(rows interface {
	Next() bool
	Scan(...any) error
	Close() error
	Err() error
}, err error) ([]rowKey, error) {
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var keys []rowKey
	for rows.Next() {
		var k rowKey
		if err := rows.Scan(&k.project, &k.id); err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, rows.Err()
}
