package db

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// kindOfEvent is what decides where an event goes.
type kindOfEvent struct {
	source relay.ID
	typ    string
}

// replayTally adds up a plan.
type replayTally struct {
	selection *relay.Selection
	targets   []relay.ReplayTarget
	takers    map[kindOfEvent][]relay.ID // by kind; nil: not selected
	events    int
	unmatched int
	leftOut   int
	oldest    int64
	newest    int64
	types     map[string]int
	hours     map[int64]int
	pairs     map[relay.ID]int
	delivered map[relay.ID]int
	reasons   map[string]int
}

func newReplayTally(f *relay.Selection, targets []relay.ReplayTarget) *replayTally {
	return &replayTally{selection: f, targets: targets, takers: map[kindOfEvent][]relay.ID{}, types: map[string]int{}, hours: map[int64]int{},
		pairs: map[relay.ID]int{}, delivered: map[relay.ID]int{}, reasons: map[string]int{}}
}

// takersOf are the targets for a kind of event, and whether it is selected.
func (t *replayTally) takersOf(k kindOfEvent) (ids []relay.ID, selected bool) {
	ids, known := t.takers[k]
	if !known {
		if t.selection.TakesEvent(k.source, k.typ) {
			ids = []relay.ID{}
			for i := range t.targets {
				if t.targets[i].Takes(k.source, k.typ) {
					ids = append(ids, t.targets[i].EndpointID)
				}
			}
		}
		t.takers[k] = ids
	}
	return ids, ids != nil
}

// event counts n events of a type that go somewhere, received in an hour.
func (t *replayTally) event(typ string, hour, oldest, newest int64, n int) {
	t.events += n
	t.types[typ] += n
	t.hours[hour] += n
	if t.oldest == 0 || oldest < t.oldest {
		t.oldest = oldest
	}
	t.newest = max(t.newest, newest)
}

const hourMicros = int64(time.Hour / time.Microsecond)

// countWalk counts the events of a range of ids, and at the same time those
// that were delivered before: each takes a while when there are millions.
func (s *Store) countWalk(ctx context.Context, p *plan, lower, end []byte) error {
	var delivered []deliveredCount
	counted := make(chan error, 1)
	go func() {
		var err error
		delivered, err = s.countDelivered(ctx, p, lower, end)
		counted <- err
	}()
	err := errors.Join(s.countEvents(ctx, p, lower, end), <-counted)
	for _, d := range delivered {
		if takers, _ := p.tally.takersOf(d.kind); slices.Contains(takers, d.endpoint) {
			p.tally.delivered[d.endpoint] += d.n
		}
	}
	return err
}

// countEvents counts the events of a range of ids.
func (s *Store) countEvents(ctx context.Context, p *plan, lower, end []byte) error {
	q := walkable(s.r.NewSelect().TableExpr("events AS events"), p.ProjectID, &p.Selection, lower, end).
		ColumnExpr("source_id, event_type, received_at / ? AS hour", hourMicros).
		ColumnExpr("CASE WHEN NOT signature_valid OR status = 'rejected' THEN 'rejected' WHEN status = 'duplicate' THEN 'duplicate' WHEN is_test THEN 'test' ELSE '' END AS why").
		ColumnExpr("count(*) AS n, min(received_at) AS oldest, max(received_at) AS newest").GroupExpr("source_id, event_type, hour, why")
	rows, err := q.Rows(ctx)
	if err != nil {
		return translate(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var k kindOfEvent
		var hour, oldest, newest int64
		var why string
		var n int
		if err := rows.Scan(&k.source, &k.typ, &hour, &why, &n, &oldest, &newest); err != nil {
			return err
		}
		takers, selected := p.tally.takersOf(k)
		switch {
		case !selected:
		case why != "":
			p.tally.reasons[why] += n
		case len(takers) == 0:
			p.tally.unmatched += n
		default:
			p.tally.event(k.typ, hour, oldest, newest, n)
			for _, id := range takers {
				p.tally.pairs[id] += n
			}
		}
	}
	return translate(rows.Err())
}

// deliveredCount is how many events of a kind an endpoint has delivered.
type deliveredCount struct {
	endpoint relay.ID
	kind     kindOfEvent
	n        int
}

// countDelivered counts the pairs of a range of ids that were delivered
// before, whether or not the selection has them.
func (s *Store) countDelivered(ctx context.Context, p *plan, lower, end []byte) ([]deliveredCount, error) {
	if len(p.targets) == 0 {
		return nil, nil
	}
	ids := make([]relay.ID, len(p.targets))
	for i := range p.targets {
		ids[i] = p.targets[i].EndpointID
	}
	q := s.r.NewSelect().TableExpr(s.using("deliveries", "deliveries_delivered")).
		Distinct().Column("endpoint_id", "event_id", "source_id", "event_type").
		Where("endpoint_id IN (?) AND status = 'delivered'", bun.List(ids)).
		Where("event_id NOT IN (SELECT id FROM events WHERE project_id = ? AND is_test)", p.ProjectID).
		Where("event_id >= ? AND event_id < ?", lower, end)
	if f := &p.Selection; !f.From.IsZero() || !f.To.IsZero() {
		// Ids say the time but for a moment: at both ends the event tells.
		const slack = 2 * time.Second
		from, to := zeroID(), end
		if !f.From.IsZero() {
			from = idBound(f.From.Add(slack))
		}
		if !f.To.IsZero() {
			to = idBound(f.To.Add(-slack))
		}
		event := walkable(s.r.NewSelect().TableExpr("events AS e").ColumnExpr("1"), p.ProjectID, f, lower, end).Where("e.id = deliveries.event_id")
		q = q.Where("(event_id >= ? AND event_id < ? OR EXISTS (?))", from, to, event)
	}
	rows, err := s.r.NewSelect().TableExpr("(?) AS d", q).ColumnExpr("endpoint_id, source_id, event_type, count(*) AS n").
		GroupExpr("endpoint_id, source_id, event_type").Rows(ctx)
	if err != nil {
		return nil, translate(err)
	}
	defer func() { _ = rows.Close() }()
	var out []deliveredCount
	for rows.Next() {
		var d deliveredCount
		if err := rows.Scan(&d.endpoint, &d.kind.source, &d.kind.typ, &d.n); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, translate(rows.Err())
}

// cutWalk is the id before which the oldest MaxEvents events of a range are.
func (s *Store) cutWalk(ctx context.Context, p *plan, from, end []byte) ([]byte, error) {
	left := p.MaxEvents
	for {
		var rows []eventRow
		q := walkable(s.r.NewSelect().Model(&rows).Column("id", "source_id", "event_type"), p.ProjectID, &p.Selection, from, end).
			Where("signature_valid AND status NOT IN ('rejected', 'duplicate') AND NOT is_test").OrderExpr("id").Limit(5000)
		if err := q.Scan(ctx); err != nil {
			return nil, translate(err)
		}
		for i := range rows {
			if takers, _ := p.tally.takersOf(kindOfEvent{rows[i].SourceID, rows[i].EventType}); len(takers) > 0 {
				left--
			}
			from = nextID(rows[i].ID)
			if left == 0 {
				return from, nil
			}
		}
		if len(rows) < 5000 {
			return end, nil
		}
	}
}

// nextID is the smallest id after one.
func nextID(id relay.ID) []byte {
	for i := len(id) - 1; i >= 0; i-- {
		id[i]++
		if id[i] != 0 {
			break
		}
	}
	return id[:]
}

// plan is what was added up.
func (t *replayTally) plan(config *Snapshot, skip bool, rate int) relay.ReplayPlan {
	out := relay.ReplayPlan{Events: t.events, LeftOut: t.leftOut, Unmatched: t.unmatched, Oldest: fromMicros(t.oldest), Newest: fromMicros(t.newest),
		ByType: tallies(t.types), NotReplayable: tallies(t.reasons), ByHour: []relay.ReplayHour{}, ByEndpoint: []relay.ReplayDestination{}}
	for hour, n := range t.hours {
		out.ByHour = append(out.ByHour, relay.ReplayHour{Start: time.UnixMicro(hour * hourMicros).UTC(), Count: n})
	}
	slices.SortFunc(out.ByHour, func(a, b relay.ReplayHour) int { return a.Start.Compare(b.Start) })
	for id, n := range t.pairs {
		d := relay.ReplayDestination{EndpointID: id, Pairs: n, Deliveries: n, AlreadyDelivered: t.delivered[id]}
		if e, ok := config.Endpoint(id); ok {
			d.Name, d.Paused = e.Name, e.Status == relay.EndpointPaused
		}
		if skip {
			d.Deliveries -= d.AlreadyDelivered
		}
		out.Pairs += d.Pairs
		out.Deliveries += d.Deliveries
		out.AlreadyDelivered += d.AlreadyDelivered
		out.ByEndpoint = append(out.ByEndpoint, d)
	}
	slices.SortFunc(out.ByEndpoint, func(a, b relay.ReplayDestination) int {
		return cmp.Or(cmp.Compare(b.Pairs, a.Pairs), slices.Compare(a.EndpointID[:], b.EndpointID[:]))
	})
	out.Duration = time.Duration(float64(out.Deliveries) / float64(max(rate, 1)) * float64(time.Second))
	return out
}

func tallies(counts map[string]int) []relay.ReplayTally {
	out := make([]relay.ReplayTally, 0, len(counts))
	for name, n := range counts {
		out = append(out, relay.ReplayTally{Name: name, Count: n})
	}
	slices.SortFunc(out, func(a, b relay.ReplayTally) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return out
}
