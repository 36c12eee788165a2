package engine

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// RetryDelivery starts a delivery's attempts anew, in place: pending, due now,
// its earlier attempts staying in the log. What is being sent for it at this
// moment becomes a stale attempt. action is what the audit log calls it.
func (s *Store) RetryDelivery(ctx context.Context, project, id relay.ID, action string, by relay.Actor) (relay.Delivery, error) {
	return s.changeDelivery(ctx, project, id, action, by, func(ctx context.Context, tx bun.Tx, d *relay.Delivery) (*bun.UpdateQuery, error) {
		if err := s.mayDeliver(ctx, tx, d); err != nil {
			return nil, err
		}
		lane := relay.LaneRetry
		if d.Lane == relay.LaneReplay || d.Trigger == relay.TriggerReplay {
			lane = relay.LaneReplay
		}
		return tx.NewUpdate().Table("deliveries").Set("status = ?", string(relay.DeliveryPending)).
			Set("lane = ?", int(lane)).Set("due_at = ?", sqldb.Micros(s.Now())).
			Set("attempts = 0, interrupted = 0, died_alone = 0, last_response_status = NULL, last_response_excerpt = NULL").
			Set("last_error = NULL, delivered_at = NULL, discard_reason = NULL"), nil
	})
}

// DiscardDelivery ends a delivery that is not final, or clears a dead letter
// away.
func (s *Store) DiscardDelivery(ctx context.Context, project, id relay.ID, reason string, by relay.Actor) (relay.Delivery, error) {
	const action = "webhook_delivery.discarded"
	return s.changeDelivery(ctx, project, id, action, by, func(_ context.Context, tx bun.Tx, d *relay.Delivery) (*bun.UpdateQuery, error) {
		switch d.Status {
		case relay.DeliveryDelivered:
			return nil, &relay.Error{Kind: relay.KindConflict, Detail: "The delivery has reached its endpoint already; there is nothing to discard."}
		case relay.DeliveryDiscarded:
			return nil, &relay.Error{Kind: relay.KindConflict, Detail: "The delivery is discarded already."}
		}
		return tx.NewUpdate().Table("deliveries").Set("status = ?", string(relay.DeliveryDiscarded)).
			Set("due_at = NULL").Set("discard_reason = ?", sqldb.Clean(reason)), nil
	})
}

type deliveryChange func(context.Context, bun.Tx, *relay.Delivery) (*bun.UpdateQuery, error)

// changeDelivery changes one delivery for somebody: whoever has it in hand
// now is fenced off, its event is summed up again, and the act is recorded.
func (s *Store) changeDelivery(ctx context.Context, project, id relay.ID, action string, by relay.Actor, change deliveryChange) (relay.Delivery, error) {
	var out relay.Delivery
	entry := relay.AuditEntry{ProjectID: project, Actor: by, Action: action, Target: relay.PrefixDelivery.Format(id), Data: map[string]any{}}
	err := s.WriteAudited(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		before, err := s.LockDelivery(ctx, tx, project, id)
		if err != nil {
			return err
		}
		q, err := change(ctx, tx, &before)
		if err != nil {
			return err
		}
		_, err = q.Set("fence = fence + 1, lease_until = NULL, lease_owner = NULL").
			Where("project_id = ? AND id = ?", project, id).Exec(ctx)
		if err != nil {
			return err
		}
		if err := s.sumEvent(ctx, tx, project, before.EventID); err != nil {
			return err
		}
		entry.Data["endpoint_id"] = relay.PrefixEndpoint.Format(before.EndpointID)
		entry.Data["event_id"] = relay.PrefixEvent.Format(before.EventID)
		entry.Data["event_type"] = before.EventType
		if out, err = s.LockDelivery(ctx, tx, project, id); err != nil {
			return err
		}
		if out.Status == relay.DeliveryDiscarded {
			entry.Data["reason"] = out.DiscardReason
		}
		moves := replayMoves{}
		moves.move(out.ReplayID, before.Status, out.Status)
		return s.saveMoves(ctx, tx, moves)
	})
	return out, err
}

// LockDelivery reads a delivery that nobody else changes until the transaction ends.
func (s *Store) LockDelivery(ctx context.Context, tx bun.Tx, project, id relay.ID) (relay.Delivery, error) {
	var row lists.DeliveryRow
	q := tx.NewSelect().Model(&row).Where("project_id = ? AND id = ?", project, id)
	if s.PG {
		q = q.For("UPDATE")
	}
	err := q.Scan(ctx)
	return row.Open(), err
}

// mayDeliver refuses deliveries whose endpoint is deleted, or whose event may
// not be sent.
func (s *Store) mayDeliver(ctx context.Context, tx bun.Tx, d *relay.Delivery) error {
	live, err := tx.NewSelect().Table("endpoints").Where("id = ? AND deleted_at IS NULL", d.EndpointID).Exists(ctx)
	if err != nil {
		return err
	}
	if !live {
		return &relay.Error{Kind: relay.KindConflict, Detail: "The endpoint of this delivery was deleted. Replay the event to another endpoint instead."}
	}
	_, err = replayable(ctx, tx, d.ProjectID, d.EventID)
	return err
}

// replayable reads an event that may be sent.
func replayable(ctx context.Context, from bun.IDB, project, id relay.ID) (relay.Event, error) {
	var row lists.EventRow
	if err := from.NewSelect().Model(&row).Where("project_id = ? AND id = ?", project, id).Scan(ctx); err != nil {
		return relay.Event{}, err
	}
	e := row.Open()
	switch {
	case !e.SignatureValid || e.Status == relay.EventRejected:
		return e, &relay.Error{Kind: relay.KindNotReplayable, Detail: "The signature of this event was not valid, so it is never sent."}
	case e.Status == relay.EventDuplicate:
		return e, &relay.Error{Kind: relay.KindNotReplayable,
			Detail: "This event is a duplicate of " + relay.PrefixEvent.Format(e.DuplicateOf) + "; replay that one."}
	}
	return e, nil
}
