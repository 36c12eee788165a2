package replays

import (
	"bytes"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// candidate is an event that a plan selects, or a delivery of one.
type candidate struct {
	event    relay.ID
	endpoint relay.ID // of the delivery, if that is where it goes; zero: every target that takes its kind
	kind     int      // in plan.kinds
	seen     bool     // the event is counted already
}

// at is when the event was received, to the millisecond: its id says so.
func (c *candidate) at() int64 { return c.event.Time().UnixMicro() }

const (
	// mayReplay is true of events that may be sent again; notReplayable says
	// why the others may not.
	mayReplay     = "signature_valid AND status NOT IN ('rejected', 'duplicate') AND NOT is_test"
	notReplayable = `CASE WHEN NOT events.signature_valid OR events.status = 'rejected' THEN 'rejected'
		WHEN events.status = 'duplicate' THEN 'duplicate' WHEN events.is_test THEN 'test' ELSE '' END AS why`
)

// candidates are some that were read together, by a plan aside.
type candidates struct {
	of    *Plan
	found []candidate
	last  relay.ID // the id in the last row
	rows  int
}

// read reads what eventsOf or deliveriesOf find, and leaves out, but counts,
// what may not be replayed.
func (r *PlanRun) read(ctx context.Context, q *bun.SelectQuery) (*candidates, error) {
	out := &candidates{of: r.aside(), found: make([]candidate, 0, r.Plans.Read)}
	err := r.EachRaw(ctx, q, 6, func(row [][]byte) {
		id, event, endpoint, source, typ, why := row[0], row[1], row[2], row[3], row[4], row[5]
		out.rows++
		out.last = relay.ID(id)
		i, kind := out.of.kind(source, typ)
		c := candidate{event: out.last, kind: i}
		if len(event) > 0 {
			c.event = relay.ID(event)
		}
		if len(endpoint) > 0 {
			c.endpoint = relay.ID(endpoint)
		}
		if !kind.selected {
			return
		}
		if len(why) > 0 {
			out.of.Tally.Reasons[string(why)]++
			return
		}
		out.found = append(out.found, c)
	})
	return out, err
}

// take adds what a plan aside counted, and makes what it found the plan's own.
func (r *PlanRun) take(in *candidates) []candidate {
	for why, n := range in.of.Tally.Reasons {
		r.Tally.Reasons[why] += n
	}
	kinds := make([]int, len(in.of.kinds))
	for i := range in.of.kinds {
		k := &in.of.kinds[i]
		kinds[i], _ = r.kind(k.source[:], []byte(k.typ))
	}
	for i := range in.found {
		in.found[i].kind = kinds[in.found[i].kind]
	}
	return in.found
}

// eventsOf selects candidates from events.
func (s *Store) eventsOf(index string) *bun.SelectQuery {
	return s.R.NewSelect().TableExpr(s.Using("events", index)).ColumnExpr("events.id, NULL AS event_id, NULL AS endpoint_id").
		ColumnExpr("events.source_id, events.event_type").ColumnExpr(notReplayable).OrderExpr("events.id")
}

// ofEvents writes down the events that the list of events shows for a status or
// a search, and those that have just come in: more with such ids may yet be
// committed.
func (r *PlanRun) ofEvents(ctx context.Context, enough func() bool) error {
	f := lists.EventFilter{SourceID: r.Selection.SourceID, Status: r.Selection.Status, From: r.Selection.From, To: r.Selection.To, Q: r.Selection.Q}
	f.EventType = r.Selection.EventType
	if f.EventType == "" && len(r.Selection.EventTypes) == 1 && !slices.ContainsFunc(r.Selection.EventTypes, isPattern) {
		f.EventType = r.Selection.EventTypes[0]
	}
	named, err := r.EventByAnyID(ctx, r.Row.ProjectID, f)
	if err != nil {
		return err
	}
	all := r.spansOf(r.Row.ProjectID, f, sqldb.IDSpan{From: r.From, Before: r.Before}, r.Plans.Read)
	if len(named) > 0 {
		all.named = named[0].ID
	}
	read := func(ctx context.Context, span sqldb.IDSpan, index string) (*candidates, error) {
		q, err := all.read(ctx, span, index)
		if err != nil || q == nil {
			return &candidates{of: r.aside()}, err
		}
		return r.read(ctx, q)
	}
	err = eachSpan(ctx, all, read, func(span sqldb.IDSpan, in *candidates) error {
		if err := r.checkpoint(); err != nil {
			return err
		}
		cut := r.write(ctx, r.take(in))
		r.From = span.Before
		return r.goOn(cut, enough)
	})
	if err == nil {
		r.end()
	}
	return err
}

// goOn says whether there is more to be read.
func (r *PlanRun) goOn(cut bool, enough func() bool) error {
	switch {
	case cut:
		r.end()
		return nil
	case enough():
		return errEnough
	}
	return nil
}

// ofIDs writes down events that were named one by one.
func (r *PlanRun) ofIDs(ctx context.Context, _ func() bool) error {
	f := lists.EventFilter{Status: r.Selection.Status, From: r.Selection.From, To: r.Selection.To}
	for part := range slices.Chunk(sortedIDs(r.Selection.EventIDs), 500) {
		in, err := r.read(ctx, f.Narrow(r.eventsOf(""), r.Row.ProjectID).Where("id IN (?)", bun.List(part)))
		if err != nil {
			return err
		}
		if err := r.wait(); err != nil {
			return err
		}
		r.write(ctx, r.take(in))
	}
	r.end()
	return nil
}

func sortedIDs(ids []relay.ID) []relay.ID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b relay.ID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}

// namedExist refuses ids that are not there.
func (s *Store) namedExist(ctx context.Context, j *relay.ReplayJob) error {
	for _, named := range []struct {
		table, field string
		prefix       relay.Prefix
		ids          []relay.ID
	}{
		{"events", "event_ids", relay.PrefixEvent, j.Selection.EventIDs},
		{"deliveries", "delivery_ids", relay.PrefixDelivery, j.Selection.DeliveryIDs},
	} {
		for part := range slices.Chunk(sortedIDs(named.ids), 500) {
			var there []relay.ID
			q := s.R.NewSelect().Table(named.table).Column("id").Where("project_id = ? AND id IN (?)", j.ProjectID, bun.List(part))
			if err := q.Scan(ctx, &there); err != nil {
				return sqldb.Translate(err)
			}
			for _, id := range part {
				if !slices.Contains(there, id) {
					return relay.Invalid(relay.FieldError{Field: named.field, Message: named.prefix.Format(id) + " does not exist in this project"})
				}
			}
		}
	}
	return nil
}

func isPattern(t string) bool { return len(t) > 0 && t[len(t)-1] == '*' }
