package db

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// itemsOfDeliveries writes down the events of the deliveries selected: for
// their own endpoints, or for those that the job names.
func (s *Store) itemsOfDeliveries(ctx context.Context, p *plan) error {
	f := &p.Selection
	filter := DeliveryFilter{EndpointID: f.DeliveryEndpointID, ReplayID: f.ReplayID, SourceID: f.SourceID, Status: f.DeliveryStatus,
		From: f.From, To: f.To, NewestOnly: f.NewestOnly}
	named := slices.Clone(f.DeliveryIDs)
	slices.SortFunc(named, func(a, b relay.ID) int { return slices.Compare(a[:], b[:]) })
	named = slices.Compact(named)
	upper := idBound(s.Now().AddDate(1, 0, 0)) // ids may be ahead of the clock by a little
	for from := zeroID(); ; {
		var rows []deliveryRow
		q := filter.narrow(s.r.NewSelect().Model(&rows).Column("id", "event_id", "endpoint_id", "source_id", "event_type"), p.ProjectID).OrderExpr("id")
		if len(f.DeliveryIDs) > 0 {
			part := named[:min(len(named), itemRows)]
			if named = named[len(part):]; len(part) == 0 {
				return nil
			}
			if err := s.deliveriesExist(ctx, p.ProjectID, part); err != nil {
				return err
			}
			q = q.Where("id IN (?)", bun.List(part))
		} else {
			q = q.ModelTableExpr(s.using("deliveries", filter.index())).Where("id >= ? AND id < ?", from, upper).Limit(itemRows)
		}
		if f.Cause != "" {
			q = q.Where("cause = ?", clean(f.Cause))
		}
		if err := q.Scan(ctx); err != nil {
			return translate(err)
		}
		if err := s.addDeliveries(ctx, p, rows); err != nil {
			return err
		}
		if len(f.DeliveryIDs) == 0 {
			if len(rows) < itemRows {
				return nil
			}
			from = nextID(rows[len(rows)-1].ID)
		}
	}
}

func (s *Store) deliveriesExist(ctx context.Context, project relay.ID, ids []relay.ID) error {
	var found []relay.ID
	err := s.r.NewSelect().Table("deliveries").Column("id").Where("project_id = ? AND id IN (?)", project, bun.List(ids)).Scan(ctx, &found)
	if err != nil || len(found) == len(ids) {
		return translate(err)
	}
	return missingID("delivery_ids", relay.PrefixDelivery, ids, func(id relay.ID) bool { return slices.Contains(found, id) })
}

func (s *Store) addDeliveries(ctx context.Context, p *plan, rows []deliveryRow) error {
	if len(rows) == 0 {
		return nil
	}
	events := make([]relay.ID, len(rows))
	for i := range rows {
		events[i] = rows[i].EventID
	}
	var found []eventRow
	if err := s.r.NewSelect().Model(&found).Where("project_id = ? AND id IN (?)", p.ProjectID, bun.List(events)).Scan(ctx); err != nil {
		return translate(err)
	}
	byID := make(map[relay.ID]*eventRow, len(found))
	for i := range found {
		byID[found[i].ID] = &found[i]
	}
	config := s.Config()
	var items []replayItemRow
	for i := range rows {
		row := byID[rows[i].EventID]
		if row == nil || !p.Selection.TakesEvent(row.SourceID, row.EventType) {
			continue
		}
		e := row.open()
		takers := []relay.ID{rows[i].EndpointID}
		if !p.own {
			takers, _ = p.tally.takersOf(kindOfEvent{e.SourceID, e.EventType})
		} else if config.gone(rows[i].EndpointID) {
			takers = nil
		}
		switch why := e.NotReplayable(); {
		case why != "":
			p.tally.reasons[why]++
		case len(takers) == 0:
			p.tally.unmatched++
		}
		if e.NotReplayable() == "" {
			for _, id := range takers {
				items = append(items, replayItemRow{ReplayID: p.ID, EventID: e.ID, EndpointID: id})
			}
		}
	}
	return s.addItems(ctx, items)
}
