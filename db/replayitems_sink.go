package db

import (
	"bytes"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// itemSink adds up candidates, which come in the order of their events, and
// writes their pairs down while the next ones are read.
type itemSink struct {
	s       *Store
	p       *plan
	first   relay.ID // the first event that counts
	newest  relay.ID // the last that does
	last    relay.ID // the event that came last
	cut     bool     // it is beyond MaxEvents
	writing chan written
}

// written is what came of some pairs.
type written struct {
	pairs     map[relay.ID]int // by endpoint
	delivered map[relay.ID]int // before, by endpoint
	err       error
}

// add takes the next candidates.
func (k *itemSink) add(ctx context.Context, found []candidate) error {
	p, t := k.p, k.p.tally
	pairs, own := make([]pairID, 0, len(found)), make([]relay.ID, 1)
	for i := range found {
		c := &found[i]
		own[0] = c.endpoint
		takers := own
		if c.endpoint.IsZero() {
			takers = p.kinds[c.kind].takers
		}
		if len(takers) == 0 {
			t.unmatched++
			continue
		}
		if c.event != k.last {
			k.last, k.cut = c.event, p.MaxEvents > 0 && t.events >= p.MaxEvents
			if k.cut {
				t.leftOut++
			} else {
				if k.first.IsZero() {
					k.first = c.event
				}
				k.newest = c.event
				at := c.at()
				t.event(p.kinds[c.kind].typ, at/hourMicros, at, at, 1)
			}
		}
		if k.cut {
			continue
		}
		for _, id := range takers {
			pairs = append(pairs, pairID{c.event, id})
		}
	}
	if err := k.wait(); err != nil || len(pairs) == 0 {
		return err
	}
	k.writing = make(chan written, 1)
	go func(to chan<- written) { to <- k.write(ctx, pairs) }(k.writing)
	return nil
}

// write writes pairs down and counts, at the same time, those that were
// delivered before.
func (k *itemSink) write(ctx context.Context, pairs []pairID) (out written) {
	wrote := make(chan error, 1)
	go func() { wrote <- k.s.writePairs(ctx, k.p.ID, pairs) }()
	out.pairs, out.delivered, out.err = k.s.countPairs(ctx, pairs)
	if err := <-wrote; out.err == nil {
		out.err = err
	}
	return out
}

// wait waits until all that was added is written down.
func (k *itemSink) wait() error {
	if k.writing == nil {
		return nil
	}
	done := <-k.writing
	k.writing = nil
	for endpoint, n := range done.pairs {
		k.p.tally.pairs[endpoint] += n
		k.p.tally.delivered[endpoint] += done.delivered[endpoint]
	}
	return done.err
}

// finish notes between which ids the events are, and reads when the first and
// the last were received, which their ids say to the millisecond only.
func (k *itemSink) finish(ctx context.Context) error {
	if k.first.IsZero() {
		return nil
	}
	k.p.row.LowerID, k.p.row.UpperID = least(k.p.row.LowerID, k.first[:]), maxBytes(k.p.row.UpperID, nextID(k.newest))
	var times []int64
	err := k.s.r.NewSelect().Table("events").Column("received_at").
		Where("project_id = ? AND id IN (?)", k.p.ProjectID, bun.List([]relay.ID{k.first, k.newest})).Scan(ctx, &times)
	for _, at := range times {
		if at/1000 == k.p.tally.oldest/1000 {
			k.p.tally.oldest = at
		}
		if at/1000 == k.p.tally.newest/1000 {
			k.p.tally.newest = at
		}
	}
	return translate(err)
}

// countPairs counts pairs, and those that were delivered before, endpoint by
// endpoint.
func (s *Store) countPairs(ctx context.Context, pairs []pairID) (all, delivered map[relay.ID]int, err error) {
	events := map[relay.ID][]relay.ID{}
	for _, p := range pairs {
		events[p.endpoint] = append(events[p.endpoint], p.event)
	}
	all, delivered = map[relay.ID]int{}, map[relay.ID]int{}
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
		q := narrow(s.r.NewSelect().TableExpr(s.using("deliveries", "deliveries_delivered")).Column("event_id").
			Where("endpoint_id = ? AND status = 'delivered'", endpoint)).OrderExpr("event_id").Limit(int64(most))
		err := s.eachRaw(ctx, q, 1, func(row [][]byte) { ids = append(ids, relay.ID(row[0])) })
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
