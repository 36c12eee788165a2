package handlers

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// reception is what came in for a project, judged but not yet stored.
type reception struct {
	event   relay.Event
	payload relay.Payload
	// targets are the endpoints to deliver to; what the payload's Routing
	// says must agree.
	targets    []*relay.Endpoint
	trigger    relay.Trigger
	dedupUntil time.Time
	once       string // a token that no other event may carry
}

// receive commits an event with its deliveries, and then tells the workers.
// Nothing but the database is asked: receiving works without Redis.
func (a *App) receive(ctx context.Context, in *reception) (relay.Event, []relay.Delivery, error) {
	deliveries := make([]relay.Delivery, len(in.targets))
	for i, endpoint := range in.targets {
		deliveries[i] = relay.Delivery{
			ID: relay.NewIDAt(in.event.ReceivedAt), ProjectID: in.event.ProjectID, EventID: in.event.ID, EndpointID: endpoint.ID,
			SourceID: in.event.SourceID, EventType: in.event.EventType, Status: relay.DeliveryPending, Lane: relay.LaneLive,
			NextAttemptAt: in.event.ReceivedAt, Trigger: in.trigger, CreatedAt: in.event.ReceivedAt,
		}
	}
	lease := a.queue.Take(deliveries)
	event, err := a.store.Receive(ctx, db.Reception{
		Event: in.event, Payload: in.payload, Deliveries: deliveries, DedupUntil: in.dedupUntil, Once: in.once, Lease: lease,
	})
	if err != nil || event.Status != relay.EventForwarding {
		a.queue.Dropped(deliveries)
		return event, nil, err
	}
	a.queue.Received(&event, &in.payload, deliveries, lease)
	return event, deliveries, nil
}

// judge makes of a request to a source an event with its deliveries planned.
func (a *App) judge(src *relay.Source, payload relay.Payload, now time.Time) *reception {
	in := &reception{payload: payload, trigger: relay.TriggerIngest}
	in.event = relay.Event{
		ID: relay.NewIDAt(now), ProjectID: src.ProjectID, SourceID: src.ID,
		ContentType: payload.Headers.Get("Content-Type"), Size: len(payload.Body), ReceivedAt: now,
	}
	return in
}

// plan routes an event that is to be delivered.
func (a *App) plan(in *reception, src *relay.Source) {
	in.event.Status = relay.EventUnmatched
	in.payload.Routing, in.targets = relay.PlanDeliveries(&in.event, a.store.Config().EndpointsOf(src.ProjectID))
	if len(in.targets) > 0 {
		in.event.Status = relay.EventForwarding
	}
	in.once = src.OnceToken(&in.payload)
	if in.event.IdempotencyKey != "" || in.once != "" {
		in.dedupUntil = in.event.ReceivedAt.AddDate(0, 0, src.RetentionDays)
	}
}

// nudge tells the workers of deliveries that became due.
func (a *App) nudge(endpoints ...relay.ID) { a.queue.Nudge(endpoints...) }

// clock is now in the precision that the database keeps.
func (a *App) clock() time.Time { return a.now().UTC().Truncate(time.Microsecond) }
