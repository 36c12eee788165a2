package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// ClaimRequest asks for due deliveries of one endpoint.
type ClaimRequest struct {
	EndpointID relay.ID
	Limit      int
	// Lanes to take from, in this order.
	Lanes []relay.Lane
	// MaxLeased, if positive, bounds the endpoint's deliveries in flight over
	// all processes, those now claimed included. On SQLite there is one
	// process, which counts by itself.
	MaxLeased int
	// Rate, if positive, is how many may be claimed in any stretch of Per, over
	// all processes.
	Rate int
	Per  time.Duration
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
	Interrupted int // deaths of processes that held it
	DiedAlone   int // of these, while it was tried alone
	Trigger     relay.Trigger
	ReplayID    relay.ID
	ReplayOf    relay.ID
	CreatedAt   time.Time
}

// ClaimOf is the claim on a delivery that was made in flight.
func ClaimOf(d *relay.Delivery) Claim {
	return Claim{DeliveryID: d.ID, Fence: madeFence, ProjectID: d.ProjectID, EventID: d.EventID, EndpointID: d.EndpointID,
		SourceID: d.SourceID, EventType: clean(d.EventType), Lane: d.Lane, Trigger: d.Trigger, ReplayID: d.ReplayID, ReplayOf: d.ReplayOf,
		CreatedAt: d.CreatedAt}
}

type claimTimes struct {
	now, until, owner int64
}

// Claim takes due deliveries for owner until a time, those due first first. It
// never waits for other processes that claim. wait says after how long a rate
// lets more be claimed; zero: it did not stand in the way.
func (s *Store) Claim(ctx context.Context, lease Lease, q ClaimRequest) (claims []Claim, wait time.Duration, err error) {
	claims, wait, err = s.hot.claim(ctx, q, claimTimes{micros(s.Now()), micros(lease.Until), lease.Owner})
	return claims, wait, translate(err)
}

const claimColumns = `id, fence, project_id, event_id, endpoint_id, source_id, event_type, lane, attempts,
	interrupted, died_alone, event_trigger, replay_id, replay_of, created_at`

type rowScanner interface{ Scan(...any) error }

// scanClaim reads claimColumns, which may follow others.
func scanClaim(row rowScanner, before ...any) (Claim, error) {
	var c Claim
	var created int64
	err := row.Scan(append(before, &c.DeliveryID, &c.Fence, &c.ProjectID, &c.EventID, &c.EndpointID, &c.SourceID, &c.EventType,
		&c.Lane, &c.Attempts, &c.Interrupted, &c.DiedAlone, &c.Trigger, &c.ReplayID, &c.ReplayOf, &created)...)
	c.CreatedAt = fromMicros(created)
	return c, err
}

// On SQLite nobody can come between picking and taking: both run on the one
// writing connection. The lane and the limit are written out, for SQLite plans
// a statement anew whenever either of them is bound to another value.
const (
	sqlitePick = `SELECT ` + claimColumns + ` FROM deliveries WHERE endpoint_id = ? AND lane = %d AND due_at IS NOT NULL AND due_at <= ?
		ORDER BY due_at, project_id, id LIMIT 1000`
	sqliteTake = "UPDATE deliveries SET fence = fence + 1, due_at = NULL, lease_until = ?, lease_owner = ? WHERE project_id = ? AND id = ?"
)

var claimLanes = []relay.Lane{relay.LaneLive, relay.LaneRetry, relay.LaneReplay}

// A window is the log of an endpoint's rate.
const (
	readWindow  = "SELECT log FROM endpoint_windows WHERE endpoint_id = ?"
	writeWindow = `INSERT INTO endpoint_windows (endpoint_id, log) VALUES (?, ?)
		ON CONFLICT (endpoint_id) DO UPDATE SET log = excluded.log`
)

// claiming is a claim on its way into a commit that it shares.
type claiming struct {
	ClaimRequest
	at     claimTimes
	claims []Claim
	wait   time.Duration
	done   chan error
}

func (c *claiming) weight() int    { return 0 }
func (c *claiming) finish(e error) { c.done <- e }

func (h *sqliteHot) claim(ctx context.Context, q ClaimRequest, at claimTimes) ([]Claim, time.Duration, error) {
	c := &claiming{ClaimRequest: q, at: at, done: make(chan error, 1)}
	if err := h.s.receiver.submit(ctx, c); err != nil {
		return nil, 0, err
	}
	err := <-c.done
	return c.claims, c.wait, err
}

// claimer are the statements of claims on SQLite, within a transaction.
type claimer struct {
	tx   *sql.Tx
	pick func(relay.Lane) *sql.Stmt
	take *sql.Stmt
}

// run picks and takes within a transaction.
func (c *claiming) run(ctx context.Context, by claimer) error {
	c.claims, c.wait = nil, 0
	left := c.Limit
	var window relay.Window
	if c.Rate > 0 {
		var log []byte
		if err := by.tx.QueryRowContext(ctx, readWindow, c.EndpointID[:]).Scan(&log); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		window = relay.WindowOf(log)
		left, c.wait = window.Grant(fromMicros(c.at.now), c.Rate, c.Per, left)
	}
	for _, lane := range c.Lanes {
		if left <= 0 {
			break
		}
		picked, err := pickClaims(ctx, by.pick(lane), left, c.EndpointID[:], c.at.now)
		if err != nil {
			return err
		}
		for i := range picked {
			p := &picked[i]
			if _, err := by.take.ExecContext(ctx, c.at.until, c.at.owner, p.ProjectID[:], p.DeliveryID[:]); err != nil {
				return err
			}
			p.Fence++
		}
		c.claims = append(c.claims, picked...)
		left -= len(picked)
	}
	if c.Rate > 0 && len(c.claims) > 0 {
		log := window.With(fromMicros(c.at.now), c.Rate, c.Per, len(c.claims)).Bytes()
		_, err := by.tx.ExecContext(ctx, writeWindow, c.EndpointID[:], log)
		return err
	}
	return nil
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

// rowKey is the key of an event or of a delivery.
type rowKey struct{ project, id relay.ID }
