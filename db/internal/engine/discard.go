package engine

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// How many deliveries are discarded, or settled, in one transaction.
const (
	DiscardRows = 500
	SettleRows  = 200 // that one transaction settles
	// discardAtOnce is for how long whoever deletes an endpoint waits for what is
	// discarded with it; the rest goes on in the background.
	discardAtOnce = time.Second
)

// DeleteEndpoint removes an endpoint and its secrets for good. Its name stays
// for what it got; what still waits for it is discarded.
func (s *Store) DeleteEndpoint(ctx context.Context, project, id relay.ID, by relay.Actor) error {
	entry := settings.EndpointEntry(project, id, "endpoint.deleted", by)
	entry.Data = map[string]any{}
	err := s.ChangeConfig(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		e, err := s.LockEndpoint(ctx, tx, project, id)
		if err != nil {
			return err
		}
		entry.Data["name"], entry.Data["url"] = e.Name, e.URL
		e.Authentication, e.Headers, e.SlackWebhookURL = relay.Authentication{}, nil, ""
		row, err := s.SealEndpoint(e)
		if err != nil {
			return err
		}
		row.DeletedAt = sqldb.Micros(s.Now())
		if _, err := tx.NewUpdate().Model(row).WherePK().Exec(ctx); err != nil {
			return err
		}
		_, err = tx.NewDelete().Model((*settings.SecretRow)(nil)).Where("endpoint_id = ?", id).Exec(ctx)
		return err
	})
	if err != nil {
		return err
	}
	// The endpoint is gone whatever happens to the rest now: DiscardDeleted
	// comes again.
	begun := time.Now()
	enough := func() bool { return time.Since(begun) > discardAtOnce }
	if _, err := s.discardFor(context.WithoutCancel(ctx), id, enough); err != nil {
		s.Log.Warn("discarding the deliveries of a deleted endpoint", "endpoint", relay.PrefixEndpoint.Format(id), "error", err)
	}
	return nil
}

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
		err := s.Later(ctx, func(ctx context.Context, tx bun.Tx) error {
			var rows []SettledRow
			for _, open := range []string{"due_at IS NOT NULL", "lease_until IS NOT NULL"} {
				q := tx.NewSelect().TableExpr("deliveries").Column("project_id", "id", "event_id", "replay_id", "status").
					Where("endpoint_id = ?", endpoint).Where(open).Limit(DiscardRows)
				if s.PG {
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
			return s.Discard(ctx, tx, rows[0].ProjectID, rows, "The endpoint was deleted.")
		})
		total += n
		if err != nil || n == 0 || enough() {
			return total, err
		}
	}
}

// SettledRow is a delivery that something happens to together with others.
type SettledRow struct {
	ProjectID, ID, EventID, ReplayID relay.ID
	Status                           relay.DeliveryStatus
}

// Discard ends deliveries of a project; what is being sent for them now will
// be stale.
func (s *Store) Discard(ctx context.Context, tx bun.Tx, project relay.ID, rows []SettledRow, reason string) error {
	ids, events := SettledIDs(rows)
	_, err := tx.NewUpdate().TableExpr("deliveries").
		Set("status = 'discarded', discard_reason = ?", sqldb.Clean(reason)).
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

// SettledIDs are the ids of some deliveries, and of their events.
func SettledIDs(rows []SettledRow) (ids, events []relay.ID) {
	for _, r := range rows {
		ids, events = append(ids, r.ID), append(events, r.EventID)
	}
	return ids, events
}
