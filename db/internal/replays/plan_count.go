package replays

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// replayTally adds up a plan.
type replayTally struct {
	Events    int // that go somewhere
	Unmatched int
	LeftOut   int
	Oldest    int64
	Newest    int64
	Types     map[string]int
	Hours     map[int64]int
	Pairs     countsByID
	Delivered countsByID
	Reasons   map[string]int
}

func newReplayTally() replayTally {
	return replayTally{Types: map[string]int{}, Hours: map[int64]int{}, Pairs: countsByID{}, Delivered: countsByID{}, Reasons: map[string]int{}}
}

// event counts n events of a type that go somewhere, received in an hour.
func (t *replayTally) event(typ string, hour, oldest, newest int64, n int) {
	t.Events += n
	t.Types[typ] += n
	t.Hours[hour] += n
	if t.Oldest == 0 || oldest < t.Oldest {
		t.Oldest = oldest
	}
	t.Newest = max(t.Newest, newest)
}

const hourMicros = int64(time.Hour / time.Microsecond)

// spanCount is what is in a span of events.
type spanCount struct {
	groups    []eventCount
	delivered countsByID
}

// countSettled counts the events that the job walks through later.
func (r *PlanRun) countSettled(ctx context.Context, enough func() bool) error {
	f := lists.EventFilter{SourceID: r.Selection.SourceID}
	if len(r.Selection.EventTypes) == 0 && f.SourceID.IsZero() {
		f.EventType = r.Selection.EventType
	}
	all := r.spansOf(r.Row.ProjectID, f, sqldb.IDSpan{From: r.From, Before: least(r.Settled, r.Before)}, r.Plans.Count)
	err := eachSpan(ctx, all, r.countSpan, func(span sqldb.IDSpan, found spanCount) error {
		if most := r.Row.MaxEvents; most > 0 && r.Tally.Events+r.goSomewhere(found.groups) > most {
			return r.countCut(ctx, span, found, most-r.Tally.Events)
		}
		r.add(found)
		r.From = span.Before
		if err := r.save(ctx); err != nil {
			return err
		}
		if enough() {
			return errEnough
		}
		return nil
	})
	switch {
	case errors.Is(err, errCut):
		return nil
	case err == nil:
		r.From = sqldb.MaxBytes(r.From, least(r.Settled, r.Before))
	}
	return err
}

// errCut says that the last event that the job may send was found.
var errCut = errors.New("db: the plan is cut off")

// countCut counts the oldest events of a span, n of them, and leaves the others
// out. What comes after the span is not looked at, unless it is but the newest.
func (r *PlanRun) countCut(ctx context.Context, span sqldb.IDSpan, whole spanCount, n int) error {
	cut, err := r.cutWalk(ctx, span, n)
	if err != nil {
		return err
	}
	found, err := r.countSpan(ctx, sqldb.IDSpan{From: span.From, Before: cut}, "")
	if err != nil {
		return err
	}
	r.add(found)
	r.Tally.LeftOut += r.goSomewhere(whole.groups) - r.goSomewhere(found.groups)
	last := bytes.Compare(span.Before, least(r.Settled, r.Before)) >= 0
	r.From, r.Settled = span.Before, cut
	if !last {
		r.end()
	}
	return errCut
}

// add adds what was counted.
func (r *PlanRun) add(found spanCount) {
	for i := range found.groups {
		g := &found.groups[i]
		switch _, k := r.kind(g.source[:], []byte(g.typ)); {
		case !k.selected:
		case g.why != "":
			r.Tally.Reasons[g.why] += g.n
		case len(k.takers) == 0:
			r.Tally.Unmatched += g.n
		default:
			r.Tally.event(g.typ, g.hour, g.oldest, g.newest, g.n)
			for _, id := range k.takers {
				r.Tally.Pairs[id] += g.n
			}
		}
	}
	for id, n := range found.delivered {
		r.Tally.Delivered[id] += n
	}
}

// goSomewhere is how many of some events are sent.
func (r *PlanRun) goSomewhere(groups []eventCount) (n int) {
	for i := range groups {
		if _, k := r.kind(groups[i].source[:], []byte(groups[i].typ)); groups[i].why == "" && len(k.takers) > 0 {
			n += groups[i].n
		}
	}
	return n
}

// countSpan counts the events of a span and, at the same time, those that were
// delivered before.
func (r *PlanRun) countSpan(ctx context.Context, span sqldb.IDSpan, _ string) (out spanCount, err error) {
	counted := make(chan error, 1)
	go func() {
		var err error
		out.delivered, err = r.countDelivered(ctx, r.Plan, span.From, span.Before)
		counted <- err
	}()
	out.groups, err = r.countEvents(ctx, span)
	return out, errors.Join(err, <-counted)
}

// eventCount are the events of one kind, hour and reason not to be replayed.
type eventCount struct {
	source               relay.ID
	typ, why             string
	n                    int
	hour, oldest, newest int64
}

func (r *PlanRun) countEvents(ctx context.Context, span sqldb.IDSpan) ([]eventCount, error) {
	q := walkable(r.R.NewSelect().TableExpr("events AS events"), r.Row.ProjectID, &r.Selection, span.From, span.Before).
		ColumnExpr("source_id, event_type, received_at / ? AS hour", hourMicros).
		ColumnExpr(notReplayable).
		ColumnExpr("count(*) AS n, min(received_at) AS oldest, max(received_at) AS newest").GroupExpr("hour, event_type, source_id, why")
	rows, err := q.Rows(ctx)
	if err != nil {
		return nil, sqldb.Translate(err)
	}
	defer func() { _ = rows.Close() }()
	var out []eventCount
	for rows.Next() {
		var g eventCount
		if err := rows.Scan(&g.source, &g.typ, &g.hour, &g.why, &g.n, &g.oldest, &g.newest); err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, sqldb.Translate(rows.Err())
}

// cutWalk is the id before which the oldest n events of a span are.
func (r *PlanRun) cutWalk(ctx context.Context, span sqldb.IDSpan, n int) ([]byte, error) {
	cut := span.From
	for n > 0 {
		var rows []lists.EventRow
		q := walkable(r.R.NewSelect().Model(&rows).Column("id", "source_id", "event_type"), r.Row.ProjectID, &r.Selection, cut, span.Before).
			Where(mayReplay).OrderExpr("id").Limit(int64(r.Plans.Read))
		if err := q.Scan(ctx); err != nil {
			return nil, sqldb.Translate(err)
		}
		for i := range rows {
			if n == 0 {
				break
			}
			if _, k := r.kind(rows[i].SourceID[:], []byte(rows[i].EventType)); len(k.takers) > 0 {
				n--
			}
			cut = sqldb.NextID(rows[i].ID)
		}
		if len(rows) < r.Plans.Read && n > 0 {
			return span.Before, nil
		}
	}
	return cut, nil
}

// plan is what was added up.
func (t *replayTally) plan(config *settings.Snapshot, skip bool, rate int) relay.ReplayPlan {
	out := relay.ReplayPlan{Events: t.Events, LeftOut: t.LeftOut, Unmatched: t.Unmatched, Oldest: sqldb.FromMicros(t.Oldest), Newest: sqldb.FromMicros(t.Newest),
		ByType: tallies(t.Types), NotReplayable: tallies(t.Reasons), ByHour: []relay.ReplayHour{}, ByEndpoint: []relay.ReplayDestination{}}
	for hour, n := range t.Hours {
		out.ByHour = append(out.ByHour, relay.ReplayHour{Start: time.UnixMicro(hour * hourMicros).UTC(), Count: n})
	}
	slices.SortFunc(out.ByHour, func(a, b relay.ReplayHour) int { return a.Start.Compare(b.Start) })
	for id, n := range t.Pairs {
		d := relay.ReplayDestination{EndpointID: id, Pairs: n, Deliveries: n, AlreadyDelivered: t.Delivered[id]}
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
