package replays

import (
	"context"

	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// maxGroups bounds how many groups of failures are told apart.
const (
	maxGroups  = 200
	exportRows = 500
)

// ReplayFailures groups what failed of a job by endpoint and cause, for good or
// so far, those with the most dead letters first.
func (s *Store) ReplayFailures(ctx context.Context, project, id relay.ID) ([]relay.FailureGroup, error) {
	if err := s.replayExists(ctx, project, id); err != nil {
		return nil, err
	}
	out := []relay.FailureGroup{}
	err := s.R.NewSelect().TableExpr(s.Using("deliveries", "deliveries_replay_status")).
		ColumnExpr("endpoint_id, coalesce(cause, '') AS cause").
		ColumnExpr("count(*) FILTER (WHERE status = 'dlq') AS count, count(*) FILTER (WHERE status = 'retrying') AS retrying").
		Where("replay_id = ? AND status IN ('dlq', 'retrying')", id).GroupExpr("endpoint_id, cause").
		OrderExpr("count DESC, retrying DESC, endpoint_id, cause").Limit(maxGroups).Scan(ctx, &out)
	if err != nil {
		return nil, sqldb.Translate(err)
	}
	for i := range out {
		g := &out[i]
		var one lists.DeliveryRow
		status := relay.DeliveryDLQ
		if g.Count == 0 {
			status = relay.DeliveryRetrying
		}
		q := s.R.NewSelect().Model(&one).ModelTableExpr(s.Using("deliveries", "deliveries_replay_status")).
			Where("replay_id = ? AND status = ? AND endpoint_id = ?", id, status, g.EndpointID)
		if g.Cause == "" {
			q = q.Where("cause IS NULL")
		} else {
			q = q.Where("cause = ?", g.Cause)
		}
		if err := q.OrderExpr("id").Limit(1).Scan(ctx); err != nil {
			if relay.KindOf(sqldb.Translate(err)) == relay.KindNotFound {
				continue // it has another status by now
			}
			return nil, sqldb.Translate(err)
		}
		g.Example, g.FirstID = one.LastError, one.ID
	}
	return out, nil
}

func (s *Store) replayExists(ctx context.Context, project, id relay.ID) error {
	there, err := s.R.NewSelect().Table("replays").Where("project_id = ? AND id = ?", project, id).Exists(ctx)
	if err == nil && !there {
		return relay.ErrNotFound
	}
	return sqldb.Translate(err)
}

// EachReplayDelivery hands out the deliveries that a job made in the order in
// which they were made, a page at a time; an empty status is all of them.
func (s *Store) EachReplayDelivery(ctx context.Context, project, id relay.ID, status relay.DeliveryStatus, fn func([]relay.Delivery) error) error {
	if err := s.replayExists(ctx, project, id); err != nil {
		return err
	}
	for from := sqldb.ZeroID(); ; {
		var rows []lists.DeliveryRow
		err := s.R.NewSelect().Model(&rows).ModelTableExpr(s.Using("deliveries", "deliveries_replay_list")).
			Where("replay_id = ? AND project_id = ? AND id >= ?", id, project, from).OrderExpr("id").Limit(exportRows).Scan(ctx)
		if err != nil {
			return sqldb.Translate(err)
		}
		page := make([]relay.Delivery, 0, len(rows))
		for i := range rows {
			if status == "" || rows[i].Status == string(status) {
				page = append(page, rows[i].Open())
			}
		}
		if len(page) > 0 {
			if err := fn(page); err != nil {
				return err
			}
		}
		if len(rows) < exportRows {
			return nil
		}
		from = sqldb.NextID(rows[len(rows)-1].ID)
	}
}
