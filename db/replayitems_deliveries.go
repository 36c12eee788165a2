package db

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// itemsOfDeliveries writes down the events of the deliveries selected: for
// their own endpoints, or for those that the job names. It holds them in
// memory until they are in order, 40 bytes for each.
func (s *Store) itemsOfDeliveries(ctx context.Context, p *plan, to *itemSink) error {
	var found []candidate
	var err error
	if len(p.Selection.DeliveryIDs) > 0 {
		found, err = s.namedDeliveries(ctx, p)
	} else {
		found, err = s.filteredDeliveries(ctx, p)
	}
	if err != nil {
		return err
	}
	if p.own {
		config := s.Config()
		for i := range found {
			if config.gone(found[i].endpoint) {
				found[i].endpoint = relay.ID{}
			}
		}
	} else {
		for i := range found {
			found[i].endpoint = relay.ID{}
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(bytes.Compare(a.event[:], b.event[:]), bytes.Compare(a.endpoint[:], b.endpoint[:]))
	})
	if found, err = s.dropNotReplayable(ctx, p, found); err != nil {
		return err
	}
	found = slices.CompactFunc(found, func(a, b candidate) bool { return a.event == b.event && a.endpoint == b.endpoint })
	for part := range slices.Chunk(found, candidateRows) {
		if err := to.add(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// ofDeliveries selects candidates from some deliveries. It does not look at
// their events, which would take longer than all the rest.
func (s *Store) ofDeliveries(some *bun.SelectQuery) *bun.SelectQuery {
	return some.Column("id", "event_id", "endpoint_id", "source_id", "event_type").ColumnExpr("'' AS why").OrderExpr("id")
}

// dropNotReplayable leaves out, but counts, those of some candidates, in the
// order of their events, that may not be replayed. Such events are few, for
// duplicates have no deliveries, and each kind has an index.
func (s *Store) dropNotReplayable(ctx context.Context, p *plan, found []candidate) ([]candidate, error) {
	if len(found) == 0 {
		return found, nil
	}
	why := map[relay.ID]string{}
	for _, kind := range []struct{ index, where string }{
		{"events_test", "is_test"}, {"events_status", "status = 'rejected'"}, {"events_invalid", "NOT signature_valid"},
	} {
		q := s.ofEvents(kind.index).Where(kind.where).
			Where("project_id = ? AND id >= ? AND id <= ?", p.ProjectID, found[0].event, found[len(found)-1].event)
		if err := s.eachRaw(ctx, q, 6, func(row [][]byte) { why[relay.ID(row[0])] = string(row[5]) }); err != nil {
			return nil, err
		}
	}
	if len(why) == 0 {
		return found, nil
	}
	return slices.DeleteFunc(found, func(c candidate) bool {
		reason, out := why[c.event]
		if out {
			p.tally.reasons[reason]++
		}
		return out
	}), nil
}

func (p *plan) deliveryFilter() DeliveryFilter {
	f := &p.Selection
	return DeliveryFilter{EndpointID: f.DeliveryEndpointID, ReplayID: f.ReplayID, SourceID: f.SourceID, Status: f.DeliveryStatus,
		Cause: f.Cause, From: f.From, To: f.To, NewestOnly: f.NewestOnly}
}

func (s *Store) namedDeliveries(ctx context.Context, p *plan) ([]candidate, error) {
	ids := slices.Clone(p.Selection.DeliveryIDs)
	slices.SortFunc(ids, func(a, b relay.ID) int { return bytes.Compare(a[:], b[:]) })
	var all []candidate
	for part := range slices.Chunk(slices.Compact(ids), 500) {
		if err := s.deliveriesExist(ctx, p.ProjectID, part); err != nil {
			return nil, err
		}
		some := p.deliveryFilter().narrow(s.r.NewSelect().Table("deliveries"), p.ProjectID).Where("id IN (?)", bun.List(part))
		found, _, _, err := s.candidates(ctx, p, s.ofDeliveries(some))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func (s *Store) deliveriesExist(ctx context.Context, project relay.ID, ids []relay.ID) error {
	var found []relay.ID
	err := s.r.NewSelect().Table("deliveries").Column("id").Where("project_id = ? AND id IN (?)", project, bun.List(ids)).Scan(ctx, &found)
	if err != nil || len(found) == len(ids) {
		return translate(err)
	}
	return missingID("delivery_ids", relay.PrefixDelivery, ids, func(id relay.ID) bool { return slices.Contains(found, id) })
}

// filteredDeliveries reads the older and the newer half of what a filter finds
// side by side.
func (s *Store) filteredDeliveries(ctx context.Context, p *plan) ([]candidate, error) {
	filter := p.deliveryFilter()
	some := func(from, before []byte) *bun.SelectQuery {
		return filter.narrow(s.r.NewSelect().TableExpr(s.using("deliveries", filter.index())), p.ProjectID).
			Where("id >= ? AND id < ?", from, before)
	}
	upper := idBound(s.Now().AddDate(1, 0, 0)) // ids may be ahead of the clock by a little
	var oldest, newest []relay.ID
	for order, ids := range map[string]*[]relay.ID{"id": &oldest, "id DESC": &newest} {
		if err := some(zeroID(), upper).Column("id").OrderExpr(order).Limit(1).Scan(ctx, ids); err != nil {
			return nil, translate(err)
		}
	}
	if len(oldest) == 0 || len(newest) == 0 {
		return nil, nil
	}
	first := oldest[0].Time()
	middle := idBound(first.Add(newest[0].Time().Sub(first) / 2))
	halves := []idSpan{{zeroID(), middle}, {middle, upper}}
	plans := []*plan{p.aside(), p.aside()}
	found, faults := make([][]candidate, 2), make([]error, 2)
	var both sync.WaitGroup
	for i, half := range halves {
		both.Go(func() {
			for from := half.from; ; {
				part, last, n, err := s.candidates(ctx, plans[i],
					s.ofDeliveries(some(from, half.before).Limit(candidateRows)))
				found[i], faults[i] = append(found[i], part...), err
				if err != nil || n < candidateRows {
					return
				}
				from = nextID(last)
			}
		})
	}
	both.Wait()
	for i := range plans {
		if faults[i] != nil {
			return nil, faults[i]
		}
		p.takeBack(plans[i], found[i])
	}
	return append(found[0], found[1]...), nil
}
