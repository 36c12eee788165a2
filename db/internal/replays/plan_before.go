package replays

import (
	"bytes"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// countPairs counts pairs, and those that were delivered before, endpoint by
// endpoint.
func (s *Store) countPairs(ctx context.Context, pairs []PairID) (all, delivered countsByID, err error) {
	events := map[relay.ID][]relay.ID{}
	for _, p := range pairs {
		events[p.Endpoint] = append(events[p.Endpoint], p.Event)
	}
	all, delivered = countsByID{}, countsByID{}
	for endpoint, ids := range events {
		all[endpoint] = len(ids)
		if delivered[endpoint], err = s.deliveredOf(ctx, endpoint, ids); err != nil {
			return nil, nil, err
		}
	}
	return all, delivered, nil
}

// deliveredOf is how many of some events, in order, were delivered to an
// endpoint. Where most of what lies between them was delivered too, it is
// sooner read in one go than looked for one by one.
func (s *Store) deliveredOf(ctx context.Context, endpoint relay.ID, events []relay.ID) (int, error) {
	read := func(most int, narrow func(*bun.SelectQuery) *bun.SelectQuery) ([]relay.ID, error) {
		ids := make([]relay.ID, 0, len(events))
		q := narrow(s.R.NewSelect().TableExpr(s.Using("deliveries", "deliveries_delivered")).Column("event_id").
			Where("endpoint_id = ? AND status = 'delivered'", endpoint)).OrderExpr("event_id").Limit(int64(most))
		err := s.EachRaw(ctx, q, 1, func(row [][]byte) { ids = append(ids, relay.ID(row[0])) })
		return slices.Compact(ids), err
	}
	between := 4*len(events) + 100
	found, err := read(between, func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("event_id >= ? AND event_id <= ?", events[0], events[len(events)-1])
	})
	if err != nil {
		return 0, err
	}
	if len(found) < between {
		return inBoth(found, events), nil
	}
	n := 0
	for part := range slices.Chunk(events, 500) {
		found, err := read(between, func(q *bun.SelectQuery) *bun.SelectQuery { return q.Where("event_id IN (?)", bun.List(part)) })
		if err != nil {
			return 0, err
		}
		n += len(found)
	}
	return n, nil
}

// inBoth is how many ids two lists in order have in common.
func inBoth(a, b []relay.ID) int {
	n := 0
	for len(a) > 0 && len(b) > 0 {
		switch c := bytes.Compare(a[0][:], b[0][:]); {
		case c < 0:
			a = a[1:]
		case c > 0:
			b = b[1:]
		default:
			n++
			a, b = a[1:], b[1:]
		}
	}
	return n
}
