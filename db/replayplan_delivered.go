package db

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun"
)

// countDelivered counts, for each endpoint of a plan, the pairs of a range of
// ids that were delivered before. It reads an index in its order and sorts
// nothing.
func (s *Store) countDelivered(ctx context.Context, p *plan, lower, end []byte) (countsByID, error) {
	out := countsByID{}
	tests := s.r.NewSelect().TableExpr(s.using("events", "events_test")).Column("id").Where("project_id = ? AND is_test AND id >= ? AND id < ?", p.row.ProjectID, lower, end)
	for i := range p.targets {
		t := &p.targets[i]
		q := s.r.NewSelect().TableExpr(s.using("deliveries", "deliveries_delivered")).Distinct().Column("event_id").
			Where("endpoint_id = ? AND status = 'delivered'", t.EndpointID).
			Where("event_id >= ? AND event_id < ?", lower, end).
			Where("event_id NOT IN (?)", tests)
		q = ofTypes(ofTypes(q, p.selection.EventTypes), t.EventFilter)
		if p.selection.EventType != "" {
			q = q.Where("event_type = ?", clean(p.selection.EventType))
		}
		if !p.selection.SourceID.IsZero() {
			q = q.Where("source_id = ?", p.selection.SourceID)
		}
		if len(t.SourceIDs) > 0 {
			q = q.Where("source_id IN (?)", bun.List(t.SourceIDs))
		}
		n, err := s.countOf(ctx, s.exactly(q, p, lower, end))
		if err != nil {
			return nil, err
		}
		out[t.EndpointID] = n
	}
	return out, nil
}

// exactly bounds deliveries to the time of a selection. Ids say it but for a
// moment: at both ends the event tells.
func (s *Store) exactly(q *bun.SelectQuery, p *plan, lower, end []byte) *bun.SelectQuery {
	f := &p.selection
	if f.From.IsZero() && f.To.IsZero() {
		return q
	}
	const slack = 2 * time.Second
	from, to := zeroID(), end
	if !f.From.IsZero() {
		from = idBound(f.From.Add(slack))
	}
	if !f.To.IsZero() {
		to = idBound(f.To.Add(-slack))
	}
	event := walkable(s.r.NewSelect().TableExpr("events AS e").ColumnExpr("1"), p.row.ProjectID, f, lower, end).Where("e.id = deliveries.event_id")
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
				q = q.WhereOr("substr(event_type, 1, ?) = ?", utf8.RuneCountInString(prefix), clean(prefix))
			} else {
				q = q.WhereOr("event_type = ?", clean(pattern))
			}
		}
		return q
	})
}
