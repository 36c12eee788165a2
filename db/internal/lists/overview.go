package lists

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// countLimit is where counts for people end: more is "10,000+".
const countLimit = 10001

// WaitingByEndpoint counts, for each endpoint of a project that has any, the
// deliveries that wait, no further than 10,001.
func (s *Store) WaitingByEndpoint(ctx context.Context, project relay.ID) (map[relay.ID]int64, error) {
	return s.countByEndpoint(ctx, project, "deliveries_due", "due_at IS NOT NULL")
}

// DeadByEndpoint counts, for each endpoint of a project that has any, the dead
// letters that were not replayed since, no further than 10,001.
func (s *Store) DeadByEndpoint(ctx context.Context, project relay.ID) (map[relay.ID]int64, error) {
	return s.countByEndpoint(ctx, project, "deliveries_dead_endpoint",
		"deliveries.project_id = e.project_id AND deliveries.status = 'dlq' AND replayed_by IS NULL")
}

func (s *Store) countByEndpoint(ctx context.Context, project relay.ID, index, only string) (map[relay.ID]int64, error) {
	var rows []struct {
		ID relay.ID
		N  int64
	}
	some := s.R.NewSelect().TableExpr(s.Using("deliveries", index)).ColumnExpr("1").Where("endpoint_id = e.id").Where(only).Limit(countLimit)
	err := s.R.NewSelect().TableExpr("endpoints AS e").Column("e.id").
		ColumnExpr("(SELECT count(*) FROM (?) AS part) AS n", some).
		Where("e.project_id = ? AND e.deleted_at IS NULL", project).Scan(ctx, &rows)
	out := map[relay.ID]int64{}
	for _, r := range rows {
		if r.N > 0 {
			out[r.ID] = r.N
		}
	}
	return out, sqldb.Translate(err)
}

// LastEventBySource tells when each source of a project last got an event.
func (s *Store) LastEventBySource(ctx context.Context, project relay.ID) (map[relay.ID]time.Time, error) {
	var rows []struct {
		ID relay.ID
		At int64
	}
	newest := s.R.NewSelect().TableExpr(s.Using("events", "events_source")).Column("received_at").
		Where("events.project_id = s.project_id AND events.source_id = s.id").OrderExpr("events.id DESC").Limit(1)
	err := s.R.NewSelect().TableExpr("sources AS s").Column("s.id").ColumnExpr("(?) AS at", newest).
		Where("s.project_id = ?", project).Scan(ctx, &rows)
	out := map[relay.ID]time.Time{}
	for _, r := range rows {
		if r.At != 0 {
			out[r.ID] = sqldb.FromMicros(r.At)
		}
	}
	return out, sqldb.Translate(err)
}

// NewestByEndpoint is when the newest delivery of each endpoint of a project that
// has any was made.
func (s *Store) NewestByEndpoint(ctx context.Context, project relay.ID) (map[relay.ID]time.Time, error) {
	var rows []struct {
		ID      relay.ID
		Created *int64
	}
	newest := s.R.NewSelect().TableExpr(s.Using("deliveries", "deliveries_endpoint")).Column("created_at").
		Where("deliveries.project_id = e.project_id AND deliveries.endpoint_id = e.id").OrderExpr("deliveries.id DESC").Limit(1)
	err := s.R.NewSelect().TableExpr("endpoints AS e").Column("e.id").ColumnExpr("(?) AS created", newest).
		Where("e.project_id = ? AND e.deleted_at IS NULL", project).Scan(ctx, &rows)
	out := make(map[relay.ID]time.Time, len(rows))
	for _, r := range rows {
		if r.Created != nil {
			out[r.ID] = sqldb.FromMicros(*r.Created)
		}
	}
	return out, sqldb.Translate(err)
}
