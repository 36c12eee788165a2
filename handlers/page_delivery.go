package handlers

import (
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

func deliveryPage(v *visit) error {
	d, err := v.delivery()
	if err != nil {
		return err
	}
	ev, err := v.store.Event(v.ctx, v.project.ID, d.EventID)
	if err != nil {
		return err
	}
	m := views.DeliveryModel{
		Frame: v.frame, Delivery: &d, Event: &ev, Source: v.sourceRef(d.SourceID), Endpoint: v.endpointRef(d.EndpointID),
	}
	if m.Attempts, err = v.attempts(d.ID); err != nil {
		return err
	}
	m.NoRetry, m.NoReplay, m.NoDiscard = refusals(&d, &ev, m.Endpoint.ID.IsZero())
	if v.isPoll() {
		return v.news(views.DeliveryNews(m))
	}
	if payload, err := v.app.payload(v.ctx, &ev); err == nil {
		m.Payload = &payload
	} else if relay.KindOf(err) != relay.KindNotFound {
		return err
	}
	of, err := v.store.DeliveriesOfEvents(v.ctx, []relay.ID{ev.ID})
	if err != nil {
		return err
	}
	m.Lineage = lineage(of[ev.ID], d.EndpointID)
	if !d.ReplayID.IsZero() {
		job, err := v.store.Replay(v.ctx, v.project.ID, d.ReplayID)
		switch {
		case err == nil:
			m.Replay = v.replay(&job)
		case relay.KindOf(err) != relay.KindNotFound: // jobs are forgotten in time
			return err
		}
	}
	if m.ReplayedBy, err = v.replayedBy(&d); err != nil {
		return err
	}
	return v.render(fiber.StatusOK, views.DeliveryPage(m))
}

// auditNear bounds where the entry about a replay is looked for: it is committed
// with what the replay made.
const auditNear = time.Minute

// replayedBy is who made a delivery by replaying it, its event or what failed of
// its endpoint, as the audit log names it; empty if nobody did, or if the log no
// longer knows.
func (v *visit) replayedBy(d *relay.Delivery) (string, error) {
	if d.Trigger != relay.TriggerReplay || !d.ReplayID.IsZero() {
		return "", nil
	}
	targets := []string{relay.PrefixEvent.Format(d.EventID), relay.PrefixDelivery.Format(d.ReplayOf), relay.PrefixEndpoint.Format(d.EndpointID)}
	near := db.AuditFilter{Targets: targets, From: d.CreatedAt.Add(-auditNear), To: d.CreatedAt.Add(auditNear)}
	entries, err := v.store.AuditEntries(v.ctx, v.project.ID, near, db.Page{Limit: 100})
	for _, e := range entries.Rows {
		made, _ := e.Data["delivery_ids"].([]any)
		if slices.Contains(made, any(relay.PrefixDelivery.Format(d.ID))) {
			return e.Actor.Name, nil
		}
	}
	return "", err
}

// delivery finds the delivery that the path names.
func (v *visit) delivery() (relay.Delivery, error) {
	id, err := v.pathID(relay.PrefixDelivery)
	if err != nil {
		return relay.Delivery{}, err
	}
	return v.store.Delivery(v.ctx, v.project.ID, id)
}

// lineage is what was ever made of an event for one endpoint, oldest first.
func lineage(deliveries []relay.Delivery, endpoint relay.ID) []*relay.Delivery {
	var line []*relay.Delivery
	for i := range deliveries {
		if deliveries[i].EndpointID == endpoint {
			line = append(line, &deliveries[i])
		}
	}
	slices.SortFunc(line, func(a, b *relay.Delivery) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return line
}

// refusals say why a delivery cannot be retried, replayed or discarded now.
func refusals(d *relay.Delivery, ev *relay.Event, endpointGone bool) (noRetry, noReplay, noDiscard string) {
	switch reason := views.NoReplay(ev); {
	case endpointGone:
		noRetry = "Its endpoint was deleted."
	case reason != "":
		noRetry = reason
	}
	noReplay = noRetry
	switch d.Status {
	case relay.DeliveryDelivered:
		noDiscard = "It was delivered."
	case relay.DeliveryDiscarded:
		noDiscard = "It was discarded already."
	}
	return noRetry, noReplay, noDiscard
}
