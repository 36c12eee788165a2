package handlers

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// convoyOut is the envelope of convoy, for errors too.
type convoyOut struct {
	Status  bool   `json:"status"`
	Message string `json:"message"`
	Data    any    `json:"data"`
}

// convoyEnvelope gives errors the form that callers of convoy know.
func (a *App) convoyEnvelope(h fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		err := h(c)
		if err == nil {
			return nil
		}
		e := a.explain(err)
		status := statusOf(e.Kind)
		a.logFailure(c, status, err)
		setRetryAfter(c, e.RetryAfter)
		message := e.Detail
		for _, f := range e.Fields {
			message += " " + f.Field + ": " + f.Message + "."
		}
		return (&call{Ctx: c}).reply(status, convoyOut{Message: message})
	}
}

// convoyReplay replays an event as if it had just come in: matching runs anew.
func (a *App) convoyReplay(c *call) error {
	project, err := c.id("project", relay.PrefixProject)
	if err != nil {
		return err
	}
	id, err := c.id("event", relay.PrefixEvent)
	if err != nil {
		return err
	}
	if !c.maySee(project) {
		return relay.ErrNotFound
	}
	deliveries, err := a.store.ReplayEvent(c.ctx, project, id, nil, c.Actor)
	if err != nil {
		return err
	}
	a.nudgeFor(deliveries)
	ev, err := a.store.Event(c.ctx, project, id)
	if err != nil {
		return err
	}
	payload, err := a.payload(c.ctx, &ev)
	if err != nil {
		return err
	}
	data := a.convoyEvent(&ev, &payload)
	if err := a.convoyDestinations(c.ctx, &data, deliveries); err != nil {
		return err
	}
	return c.reply(fiber.StatusOK, convoyOut{Status: true, Message: "Event replayed successfully", Data: data})
}

// convoyStatus says the state of an event in convoy's words.
func convoyStatus(s relay.EventStatus) string {
	switch s {
	case relay.EventForwarding:
		return "Processing"
	case relay.EventFailed, relay.EventRejected:
		return "Failure"
	case relay.EventReceived:
		return "Pending"
	default: // nothing is left to do, be it that nothing was
		return "Success"
	}
}

func (a *App) convoyEvent(ev *relay.Event, p *relay.Payload) convoyEvent {
	headers := map[string][]string{}
	for _, h := range p.Headers {
		headers[h.Name] = append(headers[h.Name], h.Value)
	}
	out := convoyEvent{
		AcknowledgedAt: timeOrNull(ev.ReceivedAt), CreatedAt: timeOrNull(ev.ReceivedAt), UpdatedAt: timeOrNull(ev.ReceivedAt),
		Data: convoyData(p.Body), EndpointMetadata: []convoyEndpoint{}, Endpoints: []string{}, EventType: ev.EventType, Headers: headers,
		IdempotencyKey: ev.IdempotencyKey, IsDuplicate: ev.Status == relay.EventDuplicate,
		ProjectID: relay.PrefixProject.Format(ev.ProjectID), Raw: strings.ToValidUTF8(string(p.Body), "\uFFFD"),
		SourceID: relay.PrefixSource.Format(ev.SourceID), Status: convoyStatus(ev.Status),
		UID: relay.PrefixEvent.Format(ev.ID), URLQueryParams: p.Query,
	}
	if src, ok := a.store.Config().Source(ev.SourceID); ok {
		out.SourceMetadata = a.convoySourceOf(src)
	}
	return out
}

// convoyWindow is of when the numbers of an endpoint are.
const convoyWindow = 30 * 24 * time.Hour

// convoyDestinations adds where the event goes, and how that has been going.
func (a *App) convoyDestinations(ctx context.Context, out *convoyEvent, deliveries []relay.Delivery) error {
	config, now := a.store.Config(), a.now()
	for i := range deliveries {
		out.Endpoints = append(out.Endpoints, relay.PrefixEndpoint.Format(deliveries[i].EndpointID))
		e, ok := config.Endpoint(deliveries[i].EndpointID)
		if !ok {
			continue
		}
		stats, err := a.store.Stats(ctx, db.StatsQuery{ProjectID: e.ProjectID, Ref: e.ID, From: now.Add(-convoyWindow), To: now, Step: convoyWindow})
		if err != nil {
			return err
		}
		shape := convoyEndpointOf(e)
		shape.Events = stats.Total.Succeeded + stats.Total.Dead
		if shape.Events > 0 {
			shape.FailureRate = float64(stats.Total.Dead) / float64(shape.Events) * 100
		}
		out.EndpointMetadata = append(out.EndpointMetadata, shape)
	}
	return nil
}

// convoyData is the body as the JSON value that it is, or as a string if it is
// none.
func convoyData(body []byte) json.RawMessage {
	if json.Valid(body) {
		return body
	}
	text, _ := bodyText(body)
	quoted, err := json.Marshal(text)
	if err != nil { // strings always marshal
		panic(err)
	}
	return quoted
}
