package replays

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
)

// countDelivered counts, for each endpoint of a plan, the pairs of a range of
// ids that were delivered before. It reads an index in its order and sorts
// nothing.
func (s *Store) countDelivered(ctx context.Context, p *Plan, lower, end []byte) (countsByID, error) {
	out := countsByID{}
	tests := s.R.NewSelect().TableExpr(s.Using("events", "events_test")).Column("id").Where("project_id = ? AND is_test AND id >= ? AND id < ?", p.Row.ProjectID, lower, end)
	for i := range p.targets {
		t := &p.targets[i]
		q := s.R.NewSelect().TableExpr(s.Using("deliveries", "deliveries_delivered")).Distinct().Column("event_id").
			Where("endpoint_id = ? AND status = 'delivered'", t.EndpointID).
			Where("event_id >= ? AND event_id < ?", lower, end).
			Where("event_id NOT IN (?)", tests)
		q = ofTypes(ofTypes(q, p.Selection.EventTypes), t.EventFilter)
		if p.Selection.EventType != "" {
			q = q.Where("event_type = ?", sqldb.Clean(p.Selection.EventType))
		}
		if !p.Selection.SourceID.IsZero() {
			q = q.Where("source_id = ?", p.Selection.SourceID)
		}
		if len(t.SourceIDs) > 0 {
			q = q.Where("source_id IN (?)", bun.List(t.SourceIDs))
		}
		n, err := s.CountOf(ctx, s.exactly(q, p, lower, end))
		if err != nil {
			return nil, err
		}
		out[t.EndpointID] = n
	}
	return out, nil
}

// exactly bounds deliveries to the time of a selection. Ids say it but for a
// moment: at both ends the event tells.
func (s *Store) exactly(q *bun.SelectQuery, p *Plan, lower, end []byte) *bun.SelectQuery {
	f := &p.Selection
	if f.From.IsZero() && f.To.IsZero() {
		return q
	}
	const slack = 2 * time.Second
	from, to := sqldb.ZeroID(), end
	if !f.From.IsZero() {
		from = sqldb.IDBound(f.From.Add(slack))
	}
	if !f.To.IsZero() {
		to = sqldb.IDBound(f.To.Add(-slack))
	}
	event := walkable(s.R.NewSelect().TableExpr("events AS e").ColumnExpr("1"), p.Row.ProjectID, f, lower, end).Where("e.id = deliveries.event_id")
	return q.Where("(event_id >= ? AND event_id < ? OR EXISTS (?))", from, to, event)
}

// ofTypes says in SQL what relay.MatchType says.
func ofTypes(q *bun.SelectQuery, filter []string) *bun.SelectQuery {
	if len(filter) == 0 {
		return q
	}
	return q.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
		for _, pattern := range filter {
			if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
				q = q.WhereOr("substr(event_type, 1, ?) = ?", utf8.RuneCountInString(prefix), sqldb.Clean(prefix))
			} else {
				q = q.WhereOr("event_type = ?", sqldb.Clean(pattern))
			}
		}
		return q
	})
}
