package db

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

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

// takersOf are the targets for a kind of event, in the order of their ids, and
// whether it is selected.
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
			slices.SortFunc(ids, func(a, b relay.ID) int { return bytes.Compare(a[:], b[:]) })
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
	var delivered map[relay.ID]int
	counted := make(chan error, 1)
	go func() {
		var err error
		delivered, err = s.countDelivered(ctx, p, lower, end)
		counted <- err
	}()
	err := errors.Join(s.countEvents(ctx, p, lower, end), <-counted)
	for id, n := range delivered {
		p.tally.delivered[id] += n
	}
	return err
}

const (
	countParts   = 32 // a database sorts many small parts sooner than one large one
	countWorkers = 2
)

// countEvents counts the events of a range of ids, part by part.
func (s *Store) countEvents(ctx context.Context, p *plan, lower, end []byte) error {
	parts, err := s.splitRange(ctx, p, lower, end)
	if err != nil {
		return err
	}
	var lock sync.Mutex
	var next int
	faults := make(chan error, countWorkers)
	for range countWorkers {
		go func() {
			for {
				lock.Lock()
				i := next
				next++
				lock.Unlock()
				if i >= len(parts) {
					faults <- nil
					return
				}
				groups, err := s.countPart(ctx, p, parts[i])
				if err != nil {
					faults <- err
					return
				}
				lock.Lock()
				for _, g := range groups {
					p.tally.group(g)
				}
				lock.Unlock()
			}
		}()
	}
	for range countWorkers {
		err = errors.Join(err, <-faults)
	}
	return err
}

// splitRange cuts a range of ids into parts of the same time.
func (s *Store) splitRange(ctx context.Context, p *plan, lower, end []byte) ([]idSpan, error) {
	var first, last []relay.ID
	for order, ids := range map[string]*[]relay.ID{"id": &first, "id DESC": &last} {
		q := s.r.NewSelect().TableExpr("events").Column("id").Where("project_id = ? AND id >= ? AND id < ?", p.ProjectID, lower, end)
		if err := q.OrderExpr(order).Limit(1).Scan(ctx, ids); err != nil {
			return nil, translate(err)
		}
	}
	if len(first) == 0 || len(last) == 0 {
		return nil, nil
	}
	from, step := first[0].Time(), last[0].Time().Sub(first[0].Time())/countParts
	spans := make([]idSpan, countParts)
	for i := range spans {
		spans[i] = idSpan{idBound(from.Add(time.Duration(i) * step)), idBound(from.Add(time.Duration(i+1) * step))}
	}
	spans[0].from, spans[countParts-1].before = lower, end
	return spans, nil
}

// eventCount are the events of one kind, hour and reason not to be replayed.
type eventCount struct {
	kind                 kindOfEvent
	why                  string
	n                    int
	hour, oldest, newest int64
}

func (s *Store) countPart(ctx context.Context, p *plan, part idSpan) ([]eventCount, error) {
	q := walkable(s.r.NewSelect().TableExpr("events AS events"), p.ProjectID, &p.Selection, part.from, part.before).
		ColumnExpr("source_id, event_type, received_at / ? AS hour", hourMicros).
		ColumnExpr(notReplayable).
		ColumnExpr("count(*) AS n, min(received_at) AS oldest, max(received_at) AS newest").GroupExpr("hour, event_type, source_id, why")
	rows, err := q.Rows(ctx)
	if err != nil {
		return nil, translate(err)
	}
	defer func() { _ = rows.Close() }()
	var out []eventCount
	for rows.Next() {
		var g eventCount
		if err := rows.Scan(&g.kind.source, &g.kind.typ, &g.hour, &g.why, &g.n, &g.oldest, &g.newest); err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, translate(rows.Err())
}

// group adds events of one kind.
func (t *replayTally) group(g eventCount) {
	takers, selected := t.takersOf(g.kind)
	switch {
	case !selected:
	case g.why != "":
		t.reasons[g.why] += g.n
	case len(takers) == 0:
		t.unmatched += g.n
	default:
		t.event(g.kind.typ, g.hour, g.oldest, g.newest, g.n)
		for _, id := range takers {
			t.pairs[id] += g.n
		}
	}
}

// cutWalk is the id before which the oldest MaxEvents events of a range are.
func (s *Store) cutWalk(ctx context.Context, p *plan, from, end []byte) ([]byte, error) {
	left := p.MaxEvents
	for {
		var rows []eventRow
		q := walkable(s.r.NewSelect().Model(&rows).Column("id", "source_id", "event_type"), p.ProjectID, &p.Selection, from, end).
			Where(mayReplay).OrderExpr("id").Limit(5000)
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
