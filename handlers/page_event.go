package handlers

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// logged is to how many deliveries of an event its page shows the attempts.
const logged = 25

func eventPage(v *visit) error {
	ev, err := v.event()
	if err != nil {
		return err
	}
	m := views.EventModel{Frame: v.frame, Event: &ev, Source: v.sourceRef(ev.SourceID), NotReplayable: views.NoReplay(&ev)}
	of, err := v.store.DeliveriesOfEvents(v.ctx, []relay.ID{ev.ID})
	if err != nil {
		return err
	}
	deliveries := of[ev.ID]
	slices.SortFunc(deliveries, func(a, b relay.Delivery) int { return slices.Compare(b.ID[:], a.ID[:]) })
	for i := range deliveries {
		row := views.EventDelivery{Delivery: &deliveries[i], Endpoint: v.endpointRef(deliveries[i].EndpointID)}
		if i < logged {
			if row.Attempts, err = v.attempts(deliveries[i].ID); err != nil {
				return err
			}
		}
		m.Deliveries = append(m.Deliveries, row)
	}
	if v.isPoll() {
		return v.news(views.EventNews(m))
	}
	payload, err := v.app.payload(v.ctx, &ev)
	if err != nil {
		return err
	}
	m.Payload = &payload
	if src, err := v.store.Source(v.project.ID, ev.SourceID); err == nil {
		m.IngestURL = v.app.ingestURL(src)
	}
	for _, r := range payload.Routing {
		m.Routes = append(m.Routes, views.RouteRow{Endpoint: v.endpointRef(r.EndpointID), Reason: r.Reason})
	}
	m.Targets = v.replayTargets(&ev, newestByEndpoint(deliveries))
	if m.NewerID, m.OlderID, err = v.store.EventsBeside(v.ctx, v.project.ID, ev.ID); err != nil {
		return err
	}
	return v.render(fiber.StatusOK, views.EventPage(m))
}

// event finds the event that the path names.
func (v *visit) event() (relay.Event, error) {
	id, err := v.pathID(relay.PrefixEvent)
	if err != nil {
		return relay.Event{}, err
	}
	return v.store.Event(v.ctx, v.project.ID, id)
}

func (v *visit) attempts(delivery relay.ID) ([]*relay.Attempt, error) {
	attempts, err := v.store.Attempts(v.ctx, delivery)
	return pointers(attempts), err
}

// replayTargets are the endpoints that an event may be sent to again: those
// that are not disabled and take events from its source.
func (v *visit) replayTargets(ev *relay.Event, newest map[relay.ID]relay.Delivery) []views.ReplayTarget {
	var targets []views.ReplayTarget
	for _, ref := range v.endpointRefs() {
		e, err := v.store.Endpoint(v.project.ID, ref.ID)
		if err != nil || e.Status == relay.EndpointDisabled {
			continue
		}
		reason := e.Matches(ev)
		if reason == relay.RouteSource {
			continue
		}
		targets = append(targets, views.ReplayTarget{
			Endpoint: ref, MatchesNow: reason == relay.RouteMatched || reason == relay.RoutePaused, Newest: newest[e.ID].Status,
		})
	}
	return targets
}

// rawEvent is the body of an event, byte for byte, as a download.
func rawEvent(v *visit) error {
	ev, err := v.event()
	if err != nil {
		return err
	}
	return v.app.download(v.call, &ev)
}
