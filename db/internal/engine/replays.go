package engine

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// Budget counts one replay by hand on each of some endpoints, or on none of
// them and says why. giveBack takes that back when nothing came of it.
type Budget func(ctx context.Context, endpoints []relay.ID) (giveBack func(), err error)

// byHand makes replays of deliveries that somebody asked for. No way leads past
// the budget of the endpoints; what is refused for another reason is not
// counted.
func (s *Store) byHand(ctx context.Context, budget Budget, endpoints []relay.ID, act func(context.Context, bun.Tx) error) error {
	giveBack, err := budget(ctx, endpoints)
	if err != nil {
		return err
	}
	err = s.Write(ctx, act)
	switch relay.KindOf(err) {
	case relay.KindNotFound, relay.KindConflict, relay.KindNotReplayable, relay.KindValidation:
		giveBack()
	}
	return err
}

// ReplayEvent makes new deliveries of a past event: to the endpoints named,
// whatever their event filters, or else to those that match now.
func (s *Store) ReplayEvent(ctx context.Context, project, event relay.ID, endpoints []relay.ID, by relay.Actor) ([]relay.Delivery, error) {
	if err := s.RefreshConfig(ctx); err != nil {
		return nil, err
	}
	ev, err := replayable(ctx, s.R, project, event)
	if err != nil {
		return nil, sqldb.Translate(err)
	}
	targets, err := s.replayTargets(&ev, endpoints)
	if err != nil {
		return nil, err
	}
	ids := make([]relay.ID, len(targets))
	for i, e := range targets {
		ids[i] = e.ID
	}
	var out []relay.Delivery
	err = s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		ev, err := replayable(ctx, tx, project, event)
		if err != nil {
			return err
		}
		items := make([]replayItem, len(ids))
		for i, id := range ids {
			items[i] = replayItem{event: ev, endpoint: id}
		}
		if out, err = s.addReplays(ctx, tx, items); err != nil || len(out) == 0 {
			return err
		}
		return s.WriteAudit(ctx, tx, relay.AuditEntry{ProjectID: project, Actor: by, Action: "event.replayed",
			Target: relay.PrefixEvent.Format(event), Data: replayData(out)})
	})
	return out, err
}

// replayTargets are the endpoints that a replay of an event goes to.
func (s *Store) replayTargets(ev *relay.Event, ids []relay.ID) ([]*relay.Endpoint, error) {
	config := s.Config()
	if len(ids) == 0 {
		_, targets := relay.PlanDeliveries(ev, config.EndpointsOf(ev.ProjectID))
		return targets, nil
	}
	var faults []relay.FieldError
	var targets []*relay.Endpoint
	seen := map[relay.ID]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		e, ok := config.Endpoint(id)
		var fault string
		switch {
		case !ok || e.ProjectID != ev.ProjectID:
			fault = "is not an endpoint of this project"
		case e.Status == relay.EndpointDisabled:
			fault = "is disabled"
		case len(e.SourceIDs) > 0 && !slices.Contains(e.SourceIDs, ev.SourceID):
			fault = "does not take events from this source"
		}
		if fault != "" {
			faults = append(faults, relay.FieldError{Field: "endpoint_ids", Message: relay.PrefixEndpoint.Format(id) + " " + fault})
			continue
		}
		targets = append(targets, e)
	}
	return targets, relay.Invalid(faults...)
}

func replayData(made []relay.Delivery) map[string]any {
	endpoints, deliveries := make([]string, len(made)), make([]string, len(made))
	for i, d := range made {
		endpoints[i], deliveries[i] = relay.PrefixEndpoint.Format(d.EndpointID), relay.PrefixDelivery.Format(d.ID)
	}
	data := map[string]any{"endpoint_ids": endpoints, "delivery_ids": deliveries, "event_type": made[0].EventType}
	if len(made) == 1 {
		data["endpoint_id"], data["event_id"] = endpoints[0], relay.PrefixEvent.Format(made[0].EventID)
	}
	return data
}

// ReplayDelivery makes a new delivery of the same event to the same endpoint.
func (s *Store) ReplayDelivery(ctx context.Context, project, delivery relay.ID, by relay.Actor, budget Budget) (relay.Delivery, error) {
	if err := s.RefreshConfig(ctx); err != nil {
		return relay.Delivery{}, err
	}
	found, err := s.Delivery(ctx, project, delivery)
	if err != nil {
		return relay.Delivery{}, err
	}
	var out relay.Delivery
	err = s.byHand(ctx, budget, []relay.ID{found.EndpointID}, func(ctx context.Context, tx bun.Tx) error {
		old, err := s.LockDelivery(ctx, tx, project, delivery)
		if err != nil {
			return err
		}
		if err := s.mayDeliver(ctx, tx, &old); err != nil {
			return err
		}
		if e, ok := s.Config().Endpoint(old.EndpointID); ok && e.Status == relay.EndpointDisabled {
			return &relay.Error{Kind: relay.KindConflict, Detail: "The endpoint of this delivery is disabled; enable it first."}
		}
		ev, err := replayable(ctx, tx, project, old.EventID)
		if err != nil {
			return err
		}
		made, err := s.addReplays(ctx, tx, []replayItem{{event: ev, endpoint: old.EndpointID, replayOf: old.ID}})
		if err != nil {
			return err
		}
		out = made[0]
		return s.WriteAudit(ctx, tx, relay.AuditEntry{ProjectID: project, Actor: by, Action: "webhook_delivery.replayed",
			Target: relay.PrefixDelivery.Format(delivery), Data: replayData(made)})
	})
	return out, err
}

// ReplayFailed replays an endpoint's oldest dead letters, limit at most, those
// made since a time if that is not zero.
func (s *Store) ReplayFailed(ctx context.Context, project, endpoint relay.ID, since time.Time, limit int, by relay.Actor, budget Budget) ([]relay.Delivery, error) {
	if err := s.RefreshConfig(ctx); err != nil {
		return nil, err
	}
	e, err := s.Endpoint(project, endpoint)
	if err != nil {
		return nil, err
	}
	if e.Status == relay.EndpointDisabled {
		return nil, &relay.Error{Kind: relay.KindConflict, Detail: "The endpoint is disabled; enable it first."}
	}
	var out []relay.Delivery
	err = s.byHand(ctx, budget, []relay.ID{endpoint}, func(ctx context.Context, tx bun.Tx) error {
		var rows []lists.DeliveryRow
		q := sqldb.Within(tx.NewSelect().Model(&rows).ModelTableExpr(s.Using("deliveries", "deliveries_dead_endpoint")), "created_at", since, time.Time{}, relay.ID{}).
			Where("project_id = ? AND endpoint_id = ? AND status = 'dlq' AND replayed_by IS NULL", project, endpoint).
			Order("id").Limit(int64(limit))
		if s.PG {
			q = q.For("UPDATE")
		}
		if err := q.Scan(ctx); err != nil {
			return err
		}
		var items []replayItem
		for i := range rows {
			ev, err := replayable(ctx, tx, project, rows[i].EventID)
			if err != nil {
				return err
			}
			items = append(items, replayItem{event: ev, endpoint: endpoint, replayOf: rows[i].ID})
		}
		var err error
		if out, err = s.addReplays(ctx, tx, items); err != nil || len(out) == 0 {
			return err
		}
		entry := settings.EndpointEntry(project, endpoint, "endpoint.failed_replayed", by)
		entry.Data = map[string]any{"count": len(out)}
		return s.WriteAudit(ctx, tx, entry)
	})
	return out, err
}

// replayItem is one delivery to be made anew.
type replayItem struct {
	event    relay.Event
	endpoint relay.ID
	replayOf relay.ID // zero: the newest delivery to the endpoint, if there is one
}

// addReplays makes new deliveries of past events and marks those that they
// stand in for. It changes nothing else of what was there.
func (s *Store) addReplays(ctx context.Context, tx bun.Tx, items []replayItem) ([]relay.Delivery, error) {
	if len(items) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(items, func(a, b replayItem) int { return bytes.Compare(a.event.ID[:], b.event.ID[:]) })
	events := make([]relay.ID, len(items))
	for i := range items {
		events[i] = items[i].event.ID
	}
	if err := s.LockReplays(ctx, tx, events); err != nil {
		return nil, err
	}
	now := s.Now()
	made := make([]relay.Delivery, 0, len(items))
	for _, item := range items {
		var newest []relay.ID
		err := tx.NewSelect().Table("deliveries").Column("id").
			Where("event_id = ? AND endpoint_id = ?", item.event.ID, item.endpoint).
			Order("id DESC").Limit(1).Scan(ctx, &newest)
		if err != nil {
			return nil, err
		}
		d := relay.Delivery{ID: relay.NewIDAt(now), ProjectID: item.event.ProjectID, EventID: item.event.ID, EndpointID: item.endpoint,
			SourceID: item.event.SourceID, EventType: item.event.EventType, Status: relay.DeliveryPending, Lane: relay.LaneReplay,
			NextAttemptAt: now, Trigger: relay.TriggerReplay, ReplayOf: item.replayOf, CreatedAt: now}
		if len(newest) > 0 {
			if d.ReplayOf.IsZero() {
				d.ReplayOf = newest[0]
			}
			if bytes.Compare(d.ID[:], newest[0][:]) <= 0 { // ids of one millisecond are in no order
				d.ID = relay.NewIDAt(newest[0].Time().Add(time.Millisecond))
			}
			_, err = tx.NewUpdate().Table("deliveries").Set("replayed_by = ?", d.ID).
				Where("event_id = ? AND endpoint_id = ? AND replayed_by IS NULL", d.EventID, d.EndpointID).Exec(ctx)
			if err != nil {
				return nil, err
			}
		}
		if _, err := tx.Tx.ExecContext(ctx, s.Rebind(InsertDelivery.Sqlite), DeliveryArgs(&d, nil)...); err != nil {
			return nil, fmt.Errorf("adding a delivery: %w", err)
		}
		made = append(made, d)
	}
	return made, s.sumEvent(ctx, tx, items[0].event.ProjectID, events...)
}

// LockReplays lets one transaction at a time replay an event: of two, the
// later one must see what the earlier one made.
func (s *Store) LockReplays(ctx context.Context, tx bun.Tx, events []relay.ID) error {
	if !s.PG {
		return nil
	}
	_, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended(h, 1)) FROM "+
		"(SELECT DISTINCT encode(unnest(ARRAY[?]::bytea[]), 'hex') AS h ORDER BY h) AS x", bun.List(events))
	return err
}
