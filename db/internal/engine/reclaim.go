package engine

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// ReclaimRows is how many deliveries are given back in one transaction.
const (
	ReclaimRows = 500
	// deadAfter is how long a process may be silent before what it holds is
	// given to others; it beats every few seconds.
	deadAfter = 15 * time.Second
)

// lapsed is a delivery whose lease ended without a recording.
type lapsed struct {
	ID         relay.ID
	ProjectID  relay.ID
	EventID    relay.ID
	EndpointID relay.ID
	ReplayID   relay.ID
	Status     relay.DeliveryStatus
	Attempts   int
	Fence      int64
	Alone      int64 // the fence under which it was tried alone
	DiedAlone  int
	LeaseUntil int64
}

// Reclaim gives back deliveries whose lease has lapsed or whose process has
// not been heard of (see Beat) for a while, each with an attempt
// that says so, and returns how many. Whoever held them cannot record any
// more. With all set it takes every lease: right when no other process can be
// alive.
func (s *Store) Reclaim(ctx context.Context, all bool) (int, error) {
	if all {
		if err := s.freeTasks(ctx); err != nil {
			return 0, err
		}
	}
	total := 0
	for {
		n, err := s.reclaimSome(ctx, all)
		total += n
		if err != nil || n < ReclaimRows {
			return total, err
		}
	}
}

func (s *Store) reclaimSome(ctx context.Context, all bool) (int, error) {
	var rows []lapsed
	now := s.Now()
	err := s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		rows = nil
		q := tx.NewSelect().TableExpr("deliveries").
			Column("id", "project_id", "event_id", "endpoint_id", "replay_id", "status", "attempts", "fence", "alone", "died_alone", "lease_until").
			Where("lease_until IS NOT NULL").Limit(ReclaimRows)
		if !all {
			q = q.Where("lease_until < ? OR lease_owner IN (SELECT id FROM processes WHERE beat_at < ?)",
				sqldb.Micros(now), sqldb.Micros(now.Add(-deadAfter)))
		}
		if s.PG {
			q = q.For("UPDATE SKIP LOCKED")
		}
		if err := q.Scan(ctx, &rows); err != nil {
			return err
		}
		moves := replayMoves{}
		for _, r := range rows {
			if err := s.interrupt(ctx, tx, r, now, moves); err != nil {
				return err
			}
		}
		return s.saveMoves(ctx, tx, moves)
	})
	return len(rows), err
}

func (s *Store) interrupt(ctx context.Context, tx bun.Tx, r lapsed, now time.Time, moves replayMoves) error {
	if r.Alone == r.Fence {
		r.DiedAlone++
	}
	became := relay.Interrupt(r.Attempts, r.DiedAlone)
	status, told := became.Status, became.Err
	var due any
	if !status.Final() {
		due = sqldb.Micros(now.Add(became.Wait))
	}
	_, err := tx.NewUpdate().TableExpr("deliveries").
		Set("status = ?", string(status)).Set("due_at = ?", due).Set("lease_until = NULL, lease_owner = NULL").
		Set("fence = fence + 1, interrupted = interrupted + 1, died_alone = ?", r.DiedAlone).Set("last_error = ?, cause = ?", told, string(relay.OutcomeInterrupted)).
		Where("project_id = ? AND id = ?", r.ProjectID, r.ID).Exec(ctx)
	if err != nil {
		return err
	}
	moves.move(r.ReplayID, r.Status, status)
	if status == relay.DeliveryDLQ {
		if err := s.sumEvent(ctx, tx, r.ProjectID, r.EventID); err != nil {
			return err
		}
	}
	return insertAttemptRow(ctx, tx, s, &relay.Attempt{
		ID: relay.NewIDAt(now), ProjectID: r.ProjectID, DeliveryID: r.ID, EventID: r.EventID, EndpointID: r.EndpointID,
		Number: r.Attempts + 1, Outcome: relay.OutcomeInterrupted, StartedAt: now, Error: told,
	})
}

func insertAttemptRow(ctx context.Context, tx bun.Tx, s *Store, a *relay.Attempt) error {
	query := insertAttempt.Sqlite
	_, err := tx.Tx.ExecContext(ctx, s.Rebind(query), attemptArgs(a)...)
	return err
}

// sumEvent brings the status of events up to date within a transaction.
func (s *Store) sumEvent(ctx context.Context, tx bun.Tx, project relay.ID, events ...relay.ID) error {
	if s.PG {
		if _, err := tx.ExecContext(ctx, "SELECT 1 FROM events WHERE project_id = ? AND id IN (?) ORDER BY id FOR UPDATE", project, bun.List(events)); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "UPDATE events SET status = "+eventSum+" WHERE project_id = ? AND id IN (?) AND status NOT IN ('rejected', 'duplicate')", project, bun.List(events))
	return err
}

// DueEndpoint is an endpoint that has deliveries waiting in a lane.
type DueEndpoint struct {
	EndpointID relay.ID
	Lane       relay.Lane
	DueAt      time.Time // of its earliest delivery
}

// DueEndpoints lists which endpoints have deliveries waiting, also those due
// later. It hops over the index from one endpoint to the next, so that its
// cost is the number of endpoints and not of deliveries.
func (s *Store) DueEndpoints(ctx context.Context) ([]DueEndpoint, error) {
	const query = `WITH RECURSIVE hop(endpoint_id) AS (
			SELECT * FROM (SELECT endpoint_id FROM deliveries WHERE due_at IS NOT NULL ORDER BY endpoint_id LIMIT 1) AS f
			UNION ALL
			SELECT (SELECT d.endpoint_id FROM deliveries d WHERE d.due_at IS NOT NULL AND d.endpoint_id > hop.endpoint_id
				ORDER BY d.endpoint_id LIMIT 1) FROM hop WHERE hop.endpoint_id IS NOT NULL)
		SELECT hop.endpoint_id, l.lane, (SELECT min(d.due_at) FROM deliveries d
				WHERE d.endpoint_id = hop.endpoint_id AND d.lane = l.lane AND d.due_at IS NOT NULL) AS due_at
		FROM hop CROSS JOIN (SELECT 0 AS lane UNION ALL SELECT 1 UNION ALL SELECT 2) AS l WHERE hop.endpoint_id IS NOT NULL`
	rows, err := s.R.DB.QueryContext(ctx, query)
	if err != nil {
		return nil, sqldb.Translate(err)
	}
	defer func() { _ = rows.Close() }()
	var out []DueEndpoint
	for rows.Next() {
		var d DueEndpoint
		var due *int64
		if err := rows.Scan(&d.EndpointID, &d.Lane, &due); err != nil {
			return nil, err
		}
		if due != nil {
			d.DueAt = sqldb.FromMicros(*due)
			out = append(out, d)
		}
	}
	return out, sqldb.Translate(rows.Err())
}
