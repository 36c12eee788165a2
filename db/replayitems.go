package db

import (
	"bytes"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// candidate is an event that a plan selects, or a delivery of one.
type candidate struct {
	event    relay.ID
	endpoint relay.ID // of the delivery, if that is where it goes; zero: every target that takes its kind
	kind     int      // in plan.kinds
}

// at is when the event was received, to the millisecond: its id says so.
func (c *candidate) at() int64 { return c.event.Time().UnixMicro() }

const (
	// mayReplay is true of events that may be sent again; notReplayable says
	// why the others may not.
	mayReplay     = "signature_valid AND status NOT IN ('rejected', 'duplicate') AND NOT is_test"
	notReplayable = `CASE WHEN NOT events.signature_valid OR events.status = 'rejected' THEN 'rejected'
		WHEN events.status = 'duplicate' THEN 'duplicate' WHEN events.is_test THEN 'test' ELSE '' END AS why`
	candidateRows = 5000 // read at a time
)

// kindIndex is where a kind of event is in plan.kinds.
func (p *plan) kindIndex(source []byte, typ []byte) int {
	p.kindKey = append(append(p.kindKey[:0], source...), typ...)
	i, known := p.kindOf[string(p.kindKey)]
	if !known {
		i = len(p.kinds)
		p.kindOf[string(p.kindKey)] = i
		k := planKind{kindOfEvent: kindOfEvent{relay.ID(source), string(typ)}}
		k.takers, k.selected = p.tally.takersOf(k.kindOfEvent)
		p.kinds = append(p.kinds, k)
	}
	return i
}

// candidates reads what ofEvents or ofDeliveries find, and leaves out, but
// counts, what may not be replayed. It tells how many rows there were, and the
// id in the last of them.
func (s *Store) candidates(ctx context.Context, p *plan, q *bun.SelectQuery) (found []candidate, last relay.ID, n int, err error) {
	found = make([]candidate, 0, candidateRows)
	err = s.eachRaw(ctx, q, 6, func(row [][]byte) {
		id, event, endpoint, source, typ, why := row[0], row[1], row[2], row[3], row[4], row[5]
		n++
		last = relay.ID(id)
		c := candidate{event: last, kind: p.kindIndex(source, typ)}
		if len(event) > 0 {
			c.event = relay.ID(event)
		}
		if len(endpoint) > 0 {
			c.endpoint = relay.ID(endpoint)
		}
		if !p.kinds[c.kind].selected {
			return
		}
		if len(why) > 0 {
			p.tally.reasons[string(why)]++
			return
		}
		found = append(found, c)
	})
	return found, last, n, err
}

// ofEvents selects candidates from events.
func (s *Store) ofEvents(index string) *bun.SelectQuery {
	return s.r.NewSelect().TableExpr(s.using("events", index)).ColumnExpr("events.id, NULL AS event_id, NULL AS endpoint_id").
		ColumnExpr("events.source_id, events.event_type").ColumnExpr(notReplayable).OrderExpr("events.id")
}

// itemsOfRange writes down the events of a range of ids.
func (s *Store) itemsOfRange(ctx context.Context, p *plan, to *itemSink, from, before []byte) error {
	for {
		found, last, n, err := s.candidates(ctx, p, walkable(s.ofEvents(""), p.ProjectID, &p.Selection, from, before).Limit(candidateRows))
		if err != nil {
			return err
		}
		if err := to.add(ctx, found); err != nil || n < candidateRows {
			return err
		}
		from = nextID(last)
	}
}

// itemsOfIDs writes down events that were named one by one.
func (s *Store) itemsOfIDs(ctx context.Context, p *plan, to *itemSink) error {
	ids := slices.Clone(p.Selection.EventIDs)
	slices.SortFunc(ids, func(a, b relay.ID) int { return bytes.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	f := EventFilter{Status: p.Selection.Status, From: p.Selection.From, To: p.Selection.To}
	for part := range slices.Chunk(ids, 500) {
		var there []relay.ID
		named := s.r.NewSelect().Table("events").Column("id").Where("project_id = ? AND id IN (?)", p.ProjectID, bun.List(part))
		if err := named.Scan(ctx, &there); err != nil {
			return translate(err)
		}
		if len(there) < len(part) {
			return missingID("event_ids", relay.PrefixEvent, part, func(id relay.ID) bool { return slices.Contains(there, id) })
		}
		found, _, _, err := s.candidates(ctx, p, f.narrow(s.ofEvents(""), p.ProjectID).Where("id IN (?)", bun.List(part)))
		if err != nil {
			return err
		}
		if err := to.add(ctx, found); err != nil {
			return err
		}
	}
	return nil
}

func missingID(field string, prefix relay.Prefix, ids []relay.ID, found func(relay.ID) bool) error {
	for _, id := range ids {
		if !found(id) {
			return relay.Invalid(relay.FieldError{Field: field, Message: prefix.Format(id) + " does not exist in this project"})
		}
	}
	return nil
}

// itemsOfFilter writes down the events that the list of events shows for a
// status or a search.
func (s *Store) itemsOfFilter(ctx context.Context, p *plan, to *itemSink) error {
	f := EventFilter{SourceID: p.Selection.SourceID, Status: p.Selection.Status, From: p.Selection.From, To: p.Selection.To, Q: p.Selection.Q}
	f.EventType = p.Selection.EventType
	if f.EventType == "" && len(p.Selection.EventTypes) == 1 && !slices.ContainsFunc(p.Selection.EventTypes, isPattern) {
		f.EventType = p.Selection.EventTypes[0]
	}
	named, err := s.eventByAnyID(ctx, p.ProjectID, f)
	if err != nil {
		return err
	}
	from, upper := idRange(&p.Selection, s.Now())
	all := s.spansOf(p.ProjectID, f, idSpan{from, upper})
	if len(named) > 0 {
		all.named = named[0].ID
	}
	return s.eachSpan(ctx, p, all, func(found []candidate) error { return to.add(ctx, found) })
}

func isPattern(t string) bool { return len(t) > 0 && t[len(t)-1] == '*' }
