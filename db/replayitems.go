package db

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// replayItemRow is one pair of a job, written down when it was planned.
type replayItemRow struct {
	bun.BaseModel `bun:"table:replay_items,alias:i"`
	ReplayID      relay.ID `bun:",pk"`
	EventID       relay.ID `bun:",pk"`
	EndpointID    relay.ID `bun:",pk"`
}

const itemRows = 500

// addItems writes pairs down, a little in each transaction.
func (s *Store) addItems(ctx context.Context, items []replayItemRow) error {
	for part := range slices.Chunk(items, pairRows) {
		err := s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewInsert().Model(&part).On("CONFLICT DO NOTHING").Exec(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// addEvents writes down the pairs of events with the targets that take them.
func (s *Store) addEvents(ctx context.Context, p *plan, rows []eventRow) error {
	var items []replayItemRow
	for i := range rows {
		e := rows[i].open()
		takers, selected := p.tally.takersOf(kindOfEvent{e.SourceID, e.EventType})
		why := e.NotReplayable()
		switch {
		case !selected:
		case why != "":
			p.tally.reasons[why]++
		case len(takers) == 0:
			p.tally.unmatched++
		default:
			for _, id := range takers {
				items = append(items, replayItemRow{ReplayID: p.ID, EventID: e.ID, EndpointID: id})
			}
		}
	}
	return s.addItems(ctx, items)
}

// itemsOfRange writes down the events of a range of ids.
func (s *Store) itemsOfRange(ctx context.Context, p *plan, from, before []byte) error {
	for {
		var rows []eventRow
		q := walkable(s.r.NewSelect().Model(&rows), p.ProjectID, &p.Selection, from, before).OrderExpr("id").Limit(itemRows)
		if err := q.Scan(ctx); err != nil {
			return translate(err)
		}
		if err := s.addEvents(ctx, p, rows); err != nil || len(rows) < itemRows {
			return err
		}
		from = nextID(rows[len(rows)-1].ID)
	}
}

// itemsOfIDs writes down events that were named one by one.
func (s *Store) itemsOfIDs(ctx context.Context, p *plan) error {
	ids := slices.Clone(p.Selection.EventIDs)
	slices.SortFunc(ids, func(a, b relay.ID) int { return slices.Compare(a[:], b[:]) })
	for part := range slices.Chunk(slices.Compact(ids), itemRows) {
		var rows []eventRow
		q := s.r.NewSelect().Model(&rows).Where("project_id = ? AND id IN (?)", p.ProjectID, bun.List(part))
		if err := q.Scan(ctx); err != nil {
			return translate(err)
		}
		if len(rows) < len(part) {
			return missingID("event_ids", relay.PrefixEvent, part, func(id relay.ID) bool {
				return slices.ContainsFunc(rows, func(r eventRow) bool { return r.ID == id })
			})
		}
		kept := rows[:0]
		for _, r := range rows {
			if f := &p.Selection; (f.From.IsZero() || r.ReceivedAt >= f.From.UnixMicro()) && (f.To.IsZero() || r.ReceivedAt < f.To.UnixMicro()) &&
				(f.Status == "" || r.Status == string(f.Status)) {
				kept = append(kept, r)
			}
		}
		if err := s.addEvents(ctx, p, kept); err != nil {
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
func (s *Store) itemsOfFilter(ctx context.Context, p *plan) error {
	f := EventFilter{SourceID: p.Selection.SourceID, Status: p.Selection.Status, From: p.Selection.From, To: p.Selection.To, Q: p.Selection.Q}
	if len(p.Selection.EventTypes) == 1 && !slices.ContainsFunc(p.Selection.EventTypes, isPattern) {
		f.EventType = p.Selection.EventTypes[0]
	}
	for _, prefix := range []relay.Prefix{relay.PrefixEvent, relay.PrefixDelivery} {
		if id, err := relay.ParseID(prefix, f.Q); f.Q != "" && err == nil {
			found, err := s.eventByAnyID(ctx, p.ProjectID, f, id)
			if err != nil || len(found.Rows) == 0 {
				return err
			}
			var rows []eventRow
			q := s.r.NewSelect().Model(&rows).Where("project_id = ? AND id = ?", p.ProjectID, found.Rows[0].ID)
			if err := q.Scan(ctx); err != nil {
				return translate(err)
			}
			return s.addEvents(ctx, p, rows)
		}
	}
	_, upper := idRange(&p.Selection, s.Now())
	for from := zeroID(); ; {
		step, err := s.filterStep(ctx, p.ProjectID, f, from, upper)
		if err != nil || len(step) == 0 {
			return err
		}
		last := step[len(step)-1]
		var rows []eventRow
		q := f.narrow(s.r.NewSelect().Model(&rows).ModelTableExpr(s.using("events", f.index())), p.ProjectID).
			Where("id >= ? AND id <= ?", from, last)
		if f.Q != "" {
			q = q.Where("? OR idempotency_key = ? OR (SELECT ? FROM payloads WHERE payloads.event_id = events.id)",
				s.contains("event_type", clean(f.Q)), clean(f.Q), s.contains("payloads.body", []byte(f.Q)))
		}
		if err := q.OrderExpr("id").Scan(ctx); err != nil {
			return translate(err)
		}
		if err := s.addEvents(ctx, p, rows); err != nil {
			return err
		}
		from = nextID(last)
	}
}

func isPattern(t string) bool { return len(t) > 0 && t[len(t)-1] == '*' }

// filterStep are the next events to look at.
func (s *Store) filterStep(ctx context.Context, project relay.ID, f EventFilter, from, upper []byte) ([]relay.ID, error) {
	var ids []relay.ID
	q := f.narrow(s.r.NewSelect().TableExpr(s.using("events", f.index())).Column("id"), project).
		Where("id >= ? AND id < ?", from, upper).OrderExpr("id").Limit(itemRows)
	return ids, translate(q.Scan(ctx, &ids))
}
