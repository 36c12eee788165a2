package handlers

import (
	"context"
	"errors"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

func (a *App) listEvents(c *call) error {
	p, page := c.list(eventParams...)
	filter := eventFilter(p)
	if err := p.err(); err != nil {
		return err
	}
	rows, err := a.store.Events(c.ctx, c.Project, filter, page)
	if err != nil {
		return err
	}
	return replyList(c, rows.Slice, eventShape)
}

// event finds the event that the path names.
func (a *App) event(c *call, param string) (relay.Event, error) {
	id, err := c.id(param, relay.PrefixEvent)
	if err != nil {
		return relay.Event{}, err
	}
	return a.store.Event(c.ctx, c.Project, id)
}

// payload is what came in with an event, as it may be shown: all that shows
// any of it takes it from here.
func (a *App) payload(ctx context.Context, ev *relay.Event) (relay.Payload, error) {
	p, err := a.store.Payload(ctx, ev.ID)
	src, _ := a.store.Config().Source(ev.SourceID)
	return p.Redacted(src), err
}

func (a *App) getEvent(c *call) error {
	ev, err := a.event(c, "id")
	if err != nil {
		return err
	}
	payload, err := a.payload(c.ctx, &ev)
	if err != nil {
		return err
	}
	return c.data(fiber.StatusOK, a.eventDetail(&ev, &payload))
}

func (a *App) getEventRaw(c *call) error {
	ev, err := a.event(c, "id")
	if err != nil {
		return err
	}
	return a.download(c, &ev)
}

// download gives out the bytes of an event. They come from strangers: a
// browser must not show them as anything.
func (a *App) download(c *call, ev *relay.Event) error {
	payload, err := a.payload(c.ctx, ev)
	if err != nil {
		return err
	}
	setAPIHeaders(c.Response())
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+relay.PrefixEvent.Format(ev.ID)+`.bin"`)
	c.Response().Header.SetContentType(fiber.MIMEOctetStream)
	c.Response().SetBody(payload.Body)
	return nil
}

// replayIn is what a replay of one event may say.
type replayIn struct {
	EndpointIDs opt[[]string] `json:"endpoint_ids"`
}

// replayOut tells what a replay made. The first two fields are those of the
// krafter dialect.
type replayOut struct {
	ReplayedTo   int           `json:"replayed_to"`
	Destinations []string      `json:"queued_destination_ids"`
	EventID      string        `json:"event_id"`
	EndpointIDs  []string      `json:"endpoint_ids"`
	Deliveries   []deliveryOut `json:"deliveries"`
}

func (a *App) replayEvent(c *call) error {
	id, err := c.id("id", relay.PrefixEvent)
	if err != nil {
		return err
	}
	var in replayIn
	if err := decodeBody(c.body(), &in, true); err != nil {
		return err
	}
	deliveries, err := a.replay(c, id, "endpoint_ids", in.EndpointIDs)
	if err != nil {
		return err
	}
	return c.data(fiber.StatusAccepted, replayShape(id, deliveries))
}

// replay sends an event again: to the endpoints of the list, or without one to
// those that want it now.
func (a *App) replay(c *call, event relay.ID, field string, list opt[[]string]) ([]relay.Delivery, error) {
	var endpoints []relay.ID
	if list.has() {
		ids, err := idsOf(field, relay.PrefixEndpoint, list.Value)
		if err != nil {
			return nil, err
		}
		if len(ids) == 0 {
			return nil, relay.Invalid(relay.FieldError{Field: field, Message: "must name at least one endpoint, or be left out"})
		}
		endpoints = ids
	}
	deliveries, err := a.store.ReplayEvent(c.ctx, c.Project, event, endpoints, c.Actor)
	if err != nil {
		return nil, renameField(err, "endpoint_ids", field)
	}
	a.nudgeFor(deliveries)
	return deliveries, nil
}

// nudgeFor wakes the workers for deliveries that were just made due.
func (a *App) nudgeFor(deliveries []relay.Delivery) {
	due := make([]relay.ID, len(deliveries))
	for i := range deliveries {
		due[i] = deliveries[i].EndpointID
	}
	a.nudge(due...)
}

func replayShape(event relay.ID, deliveries []relay.Delivery) replayOut {
	out := replayOut{
		ReplayedTo: len(deliveries), EventID: relay.PrefixEvent.Format(event), EndpointIDs: []string{}, Deliveries: []deliveryOut{},
	}
	for i := range deliveries {
		out.EndpointIDs = append(out.EndpointIDs, relay.PrefixEndpoint.Format(deliveries[i].EndpointID))
		out.Deliveries = append(out.Deliveries, deliveryShape(&deliveries[i]))
	}
	out.Destinations = out.EndpointIDs
	return out
}

// renameField calls a field by the name that the caller knows it by.
func renameField(err error, from, to string) error {
	var e *relay.Error
	if !errors.As(err, &e) || from == to {
		return err
	}
	renamed := *e
	renamed.Fields = nil
	for _, f := range e.Fields {
		if f.Field == from {
			f.Field = to
		}
		renamed.Fields = append(renamed.Fields, f)
	}
	return &renamed
}
