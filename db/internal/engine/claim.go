package engine

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// ClaimRequest asks for due deliveries of one endpoint.
type ClaimRequest struct {
	EndpointID relay.ID
	Limit      int
	// Lanes to take from, in this order.
	Lanes []relay.Lane
	// MaxLeased, if positive, bounds the endpoint's deliveries in flight over
	// all processes, those now claimed included.
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
	Status      relay.DeliveryStatus
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
		SourceID: d.SourceID, EventType: sqldb.Clean(d.EventType), Lane: d.Lane, Status: d.Status, Trigger: d.Trigger, ReplayID: d.ReplayID, ReplayOf: d.ReplayOf,
		CreatedAt: d.CreatedAt}
}

type claimTimes struct {
	now, until, owner int64
}

func (s *Store) claim(ctx context.Context, q ClaimRequest, at claimTimes) ([]Claim, time.Duration, error) {
	if pg, ok := s.Hot.(*sqldb.PGHot); ok {
		return s.claimPostgres(ctx, pg, q, at)
	}
	return s.claimSQLite(ctx, q, at)
}

// Claim takes due deliveries for owner until a time, those due first first. It
// never waits for other processes that claim. wait says after how long a rate
// lets more be claimed; zero: it did not stand in the way.
func (s *Store) Claim(ctx context.Context, lease Lease, q ClaimRequest) (claims []Claim, wait time.Duration, err error) {
	claims, wait, err = s.claim(ctx, q, claimTimes{sqldb.Micros(s.Now()), sqldb.Micros(lease.Until), lease.Owner})
	return claims, wait, sqldb.Translate(err)
}

const claimColumns = `id, fence, project_id, event_id, endpoint_id, source_id, event_type, lane, status, attempts,
	interrupted, died_alone, event_trigger, replay_id, replay_of, created_at`

type rowScanner interface{ Scan(...any) error }

// scanClaim reads claimColumns, which may follow others.
func scanClaim(row rowScanner, before ...any) (Claim, error) {
	var c Claim
	var created int64
	err := row.Scan(append(before, &c.DeliveryID, &c.Fence, &c.ProjectID, &c.EventID, &c.EndpointID, &c.SourceID, &c.EventType,
		&c.Lane, &c.Status, &c.Attempts, &c.Interrupted, &c.DiedAlone, &c.Trigger, &c.ReplayID, &c.ReplayOf, &created)...)
	c.CreatedAt = sqldb.FromMicros(created)
	return c, err
}

// A window is the log of an endpoint's rate.
const (
	countLeased = "SELECT count(*) FROM deliveries WHERE endpoint_id = ? AND lease_until IS NOT NULL"
	readWindow  = "SELECT log FROM endpoint_windows WHERE endpoint_id = ?"
	writeWindow = `INSERT INTO endpoint_windows (endpoint_id, log) VALUES (?, ?)
		ON CONFLICT (endpoint_id) DO UPDATE SET log = excluded.log`
)

// claimer are the statements of a claim within a transaction, in SQLite's or in
// PostgreSQL's way.
type claimer interface {
	readWindow(context.Context, relay.ID) ([]byte, error) // nil: there is none yet
	writeWindow(context.Context, relay.ID, []byte) error
	// leased is how many deliveries of an endpoint are in flight.
	leased(context.Context, relay.ID) (int, error)
	// take takes what is due in a lane, most at most.
	take(ctx context.Context, endpoint relay.ID, lane relay.Lane, most int, at claimTimes) ([]Claim, error)
}

// claimWith takes what is due from one lane after the other, as far as the
// endpoint's limits let it go. It is for one process at a time if there are any.
func (q *ClaimRequest) claimWith(ctx context.Context, by claimer, at claimTimes) (claims []Claim, wait time.Duration, err error) {
	now, left := sqldb.FromMicros(at.now), q.Limit
	if q.MaxLeased > 0 {
		leased, err := by.leased(ctx, q.EndpointID)
		if err != nil {
			return nil, 0, err
		}
		left = min(left, q.MaxLeased-leased)
	}
	if left <= 0 {
		return nil, 0, nil
	}
	var window relay.Window
	if q.Rate > 0 {
		log, err := by.readWindow(ctx, q.EndpointID)
		if err != nil {
			return nil, 0, err
		}
		window = relay.WindowOf(log)
		left, wait = window.Grant(now, q.Rate, q.Per, left)
	}
	for _, lane := range q.Lanes {
		if left <= 0 {
			break
		}
		got, err := by.take(ctx, q.EndpointID, lane, left, at)
		if err != nil {
			return nil, 0, err
		}
		claims = append(claims, got...)
		left -= len(got)
	}
	if q.Rate > 0 && len(claims) > 0 {
		err = by.writeWindow(ctx, q.EndpointID, window.With(now, q.Rate, q.Per, len(claims)).Bytes())
	}
	return claims, wait, err
}
