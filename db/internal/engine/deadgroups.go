package engine

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// DeadLetterGroups groups a project's dead letters by endpoint and cause,
// those with the most first. What was replayed since does not count.
func (s *Store) DeadLetterGroups(ctx context.Context, project relay.ID) ([]relay.DeadGroup, error) {
	var rows []struct {
		EndpointID     relay.ID
		Cause          string
		Count          int
		Oldest, Newest int64
	}
	err := s.R.NewSelect().TableExpr(s.Using("deliveries", "deliveries_dead_cause")).
		ColumnExpr("endpoint_id, coalesce(cause, '') AS cause, count(*) AS count, min(created_at) AS oldest, max(created_at) AS newest").
		Where("project_id = ? AND status = 'dlq' AND replayed_by IS NULL", project).GroupExpr("endpoint_id, cause").
		OrderExpr("count DESC, endpoint_id, cause").Limit(maxDeadGroups).Scan(ctx, &rows)
	if err != nil {
		return nil, sqldb.Translate(err)
	}
	out := make([]relay.DeadGroup, 0, len(rows))
	for _, r := range rows {
		g := relay.DeadGroup{EndpointID: r.EndpointID, Cause: r.Cause, Count: r.Count, Oldest: sqldb.FromMicros(r.Oldest), Newest: sqldb.FromMicros(r.Newest)}
		var one lists.DeliveryRow
		q := s.deadOf(s.R.NewSelect().Model(&one).ModelTableExpr(s.Using("deliveries", "deliveries_dead_cause")), project, r.EndpointID, r.Cause)
		switch err := sqldb.Translate(q.OrderExpr("created_at DESC").Limit(1).Scan(ctx)); relay.KindOf(err) {
		case "":
			g.Example, g.NewestID = one.LastError, one.ID
		case relay.KindNotFound:
			continue // gone just now
		default:
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

// deadOf narrows a query to an endpoint's dead letters of one cause.
func (s *Store) deadOf(q *bun.SelectQuery, project, endpoint relay.ID, cause string) *bun.SelectQuery {
	q = q.Where("project_id = ? AND endpoint_id = ? AND status = 'dlq' AND replayed_by IS NULL", project, endpoint)
	if cause == "" {
		return q.Where("cause IS NULL")
	}
	return q.Where("cause = ?", sqldb.Clean(cause))
}

// maxDeadGroups bounds how many groups of dead letters are told apart.
const maxDeadGroups = 500

// DiscardDeadLetters clears an endpoint's dead letters of one cause away and
// returns how many there were.
func (s *Store) DiscardDeadLetters(ctx context.Context, project, endpoint relay.ID, cause, reason string, by relay.Actor) (int, error) {
	if e, ok := s.Config().Endpoint(endpoint); !s.Config().Deleted(endpoint) && (!ok || e.ProjectID != project) {
		return 0, relay.ErrNotFound
	}
	total := 0
	for {
		var rows []SettledRow
		err := s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			rows = nil
			q := s.deadOf(tx.NewSelect().TableExpr(s.Using("deliveries", "deliveries_dead_cause")).Column("id", "event_id", "replay_id", "status"), project, endpoint, cause).Limit(SettleRows)
			if s.PG {
				q = q.For("UPDATE")
			}
			if err := q.Scan(ctx, &rows); err != nil || len(rows) == 0 {
				return err
			}
			if err := s.Discard(ctx, tx, project, rows, reason); err != nil {
				return err
			}
			entry := settings.EndpointEntry(project, endpoint, "dead_letters.discarded", by)
			entry.Data = map[string]any{"cause": cause, "reason": reason, "count": len(rows)}
			return s.WriteAudit(ctx, tx, entry)
		})
		if err != nil {
			return total, err
		}
		if total += len(rows); len(rows) < SettleRows {
			return total, nil
		}
	}
}
