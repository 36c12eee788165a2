package replays

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// ofDeliveries writes down the events of the deliveries selected: for their own
// endpoints, or for those that the job names.
func (r *PlanRun) ofDeliveries(ctx context.Context, enough func() bool) error {
	for bytes.Compare(r.From, r.Before) < 0 {
		found, next, err := r.readDeliveries(ctx)
		if err != nil {
			return err
		}
		if found, err = r.sorted(ctx, found); err != nil {
			return err
		}
		if err := r.checkpoint(); err != nil {
			return err
		}
		cut := false
		for part := range slices.Chunk(found, r.Plans.Read) {
			if err := r.wait(); err != nil {
				return err
			}
			cut = r.write(ctx, part)
		}
		r.From = next
		if err := r.goOn(cut, enough); err != nil {
			return err
		}
	}
	return nil
}

func (r *PlanRun) deliveryFilter() lists.DeliveryFilter {
	f := &r.Selection
	return lists.DeliveryFilter{EndpointID: f.DeliveryEndpointID, ReplayID: f.ReplayID, SourceID: f.SourceID, Status: f.DeliveryStatus,
		Cause: f.Cause, From: f.From, To: f.To, NewestOnly: f.NewestOnly}
}

// readDeliveries reads the next deliveries, as many as are sorted at a time or a
// little more.
func (r *PlanRun) readDeliveries(ctx context.Context) (all []candidate, next []byte, err error) {
	filter := r.deliveryFilter()
	add := func(q *bun.SelectQuery) (*candidates, error) {
		in, err := r.read(ctx, q.Column("id", "event_id", "endpoint_id", "source_id", "event_type").ColumnExpr("'' AS why").OrderExpr("id"))
		if err == nil {
			all = append(all, r.take(in)...)
		}
		return in, err
	}
	if len(r.Selection.DeliveryIDs) > 0 {
		for part := range slices.Chunk(sortedIDs(r.Selection.DeliveryIDs), 500) {
			if _, err := add(filter.Narrow(r.R.NewSelect().Table("deliveries"), r.Row.ProjectID).Where("id IN (?)", bun.List(part))); err != nil {
				return nil, nil, err
			}
		}
		return all, r.Before, nil
	}
	for next = r.From; len(all) < r.Plans.Sort; {
		in, err := add(filter.Narrow(r.R.NewSelect().TableExpr(r.Using("deliveries", filter.Index())), r.Row.ProjectID).
			Where("id >= ? AND id < ?", next, r.Before).Limit(int64(r.Plans.Read)))
		if err != nil {
			return nil, nil, err
		}
		if in.rows < r.Plans.Read {
			return all, r.Before, nil
		}
		next = sqldb.NextID(in.last)
	}
	return all, next, nil
}

// sorted puts candidates in the order of their events and endpoints, and leaves
// out what is not replayed, and what was selected before.
func (r *PlanRun) sorted(ctx context.Context, found []candidate) ([]candidate, error) {
	config := r.Config()
	for i := range found {
		if !r.own || config.Gone(found[i].endpoint) {
			found[i].endpoint = relay.ID{}
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(bytes.Compare(a.event[:], b.event[:]), bytes.Compare(a.endpoint[:], b.endpoint[:]))
	})
	found, err := r.dropNotReplayable(ctx, found)
	if err != nil {
		return nil, err
	}
	found = slices.CompactFunc(found, func(a, b candidate) bool { return a.event == b.event && a.endpoint == b.endpoint })
	return r.dropSeen(ctx, found)
}

// dropNotReplayable leaves out, but counts, those of some candidates, in the
// order of their events, that may not be replayed. Such events are few, for
// duplicates have no deliveries, and each kind has an index.
func (r *PlanRun) dropNotReplayable(ctx context.Context, found []candidate) ([]candidate, error) {
	if len(found) == 0 {
		return found, nil
	}
	why := map[relay.ID]string{}
	for _, kind := range []struct{ index, where string }{
		{"events_test", "is_test"}, {"events_status", "status = 'rejected'"}, {"events_invalid", "NOT signature_valid"},
	} {
		q := r.eventsOf(kind.index).Where(kind.where).
			Where("project_id = ? AND id >= ? AND id <= ?", r.Row.ProjectID, found[0].event, found[len(found)-1].event)
		if err := r.EachRaw(ctx, q, 6, func(row [][]byte) { why[relay.ID(row[0])] = string(row[5]) }); err != nil {
			return nil, err
		}
	}
	if len(why) == 0 {
		return found, nil
	}
	return slices.DeleteFunc(found, func(c candidate) bool {
		reason, out := why[c.event]
		if out {
			r.Tally.Reasons[reason]++
		}
		return out
	}), nil
}

// dropSeen leaves out pairs of which a delivery was selected among those that
// were read before, and marks those whose event was.
func (r *PlanRun) dropSeen(ctx context.Context, found []candidate) ([]candidate, error) {
	if bytes.Equal(r.From, sqldb.ZeroID()) {
		return found, nil
	}
	out := found[:0]
	for part := range slices.Chunk(found, 500) {
		events := make([]relay.ID, len(part))
		for i := range part {
			events[i] = part[i].event
		}
		seen, err := r.SelectedBefore(ctx, slices.Compact(events))
		if err != nil {
			return nil, err
		}
		for _, c := range part {
			endpoints, there := seen[c.event]
			c.seen = there
			if !there || !c.endpoint.IsZero() && !slices.Contains(endpoints, c.endpoint) {
				out = append(out, c)
			}
		}
	}
	return out, nil
}

// SelectedBefore are the endpoints of which deliveries of some events were
// selected before, by event.
func (r *PlanRun) SelectedBefore(ctx context.Context, events []relay.ID) (map[relay.ID][]relay.ID, error) {
	seen := map[relay.ID][]relay.ID{}
	q := r.deliveryFilter().Narrow(r.R.NewSelect().TableExpr(r.Using("deliveries", "deliveries_event")), r.Row.ProjectID).
		Where("event_id IN (?) AND id < ?", bun.List(events), r.From).Column("event_id", "endpoint_id")
	err := r.EachRaw(ctx, q, 2, func(row [][]byte) {
		id := relay.ID(row[0])
		seen[id] = append(seen[id], relay.ID(row[1]))
	})
	return seen, err
}
