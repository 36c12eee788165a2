package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

const (
	discardRows = 500
	// discardAtOnce is for how long whoever deletes an endpoint waits for what is
	// discarded with it; the rest goes on in the background.
	discardAtOnce = time.Second
)

// DiscardDeleted discards what waits for endpoints that are deleted: what a
// crash left over, and what came in just then. It returns how many, and whether
// there may be more when enough says that it is enough for now.
func (s *Store) DiscardDeleted(ctx context.Context, enough func() bool) (n int, more bool, err error) {
	due, err := s.DueEndpoints(ctx)
	if err != nil {
		return 0, false, err
	}
	done, config := map[relay.ID]bool{}, s.Config()
	for _, d := range due {
		if done[d.EndpointID] || !config.Deleted(d.EndpointID) {
			continue
		}
		if enough() {
			return n, true, nil
		}
		done[d.EndpointID] = true
		some, err := s.discardFor(ctx, d.EndpointID, enough)
		n += some
		if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}

// discardFor discards the deliveries of an endpoint that are not final, until
// there is enough.
func (s *Store) discardFor(ctx context.Context, endpoint relay.ID, enough func() bool) (int, error) {
	total := 0
	for {
		n := 0
		err := s.later(ctx, func(ctx context.Context, tx bun.Tx) error {
			var rows []settledRow
			for _, open := range []string{"due_at IS NOT NULL", "lease_until IS NOT NULL"} {
				q := tx.NewSelect().TableExpr("deliveries").Column("project_id", "id", "event_id", "replay_id", "status").
					Where("endpoint_id = ?", endpoint).Where(open).Limit(discardRows)
				if s.pg {
					q = q.For("UPDATE")
				}
				if err := q.Scan(ctx, &rows); err != nil {
					return err
				}
				if len(rows) > 0 {
					break
				}
			}
			n = len(rows)
			if n == 0 {
				return nil
			}
			return s.discard(ctx, tx, rows[0].ProjectID, rows, "The endpoint was deleted.")
		})
		total += n
		if err != nil || n == 0 || enough() {
			return total, err
		}
	}
}

// settledRow is a delivery that something happens to together with others.
type settledRow struct {
	ProjectID, ID, EventID, ReplayID relay.ID
	Status                           relay.DeliveryStatus
}

// discard ends deliveries of a project; what is being sent for them now will
// be stale.
func (s *Store) discard(ctx context.Context, tx bun.Tx, project relay.ID, rows []settledRow, reason string) error {
	ids, events := settledIDs(rows)
	_, err := tx.NewUpdate().TableExpr("deliveries").
		Set("status = 'discarded', discard_reason = ?", clean(reason)).
		Set("due_at = NULL, lease_until = NULL, lease_owner = NULL, fence = fence + 1").
		Where("project_id = ? AND id IN (?)", project, bun.List(ids)).Exec(ctx)
	if err != nil {
		return err
	}
	if err := s.sumEvent(ctx, tx, project, events...); err != nil {
		return err
	}
	moves := replayMoves{}
	for _, r := range rows {
		moves.move(r.ReplayID, r.Status, relay.DeliveryDiscarded)
	}
	return s.saveMoves(ctx, tx, moves)
}

func settledIDs(rows []settledRow) (ids, events []relay.ID) {
	for _, r := range rows {
		ids, events = append(ids, r.ID), append(events, r.EventID)
	}
	return ids, events
}
