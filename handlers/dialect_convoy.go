package handlers

import (
	"encoding/json"
	"strings"

	"github.com/gofiber/fiber/v2"

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
	if err := decodeBody(c.body(), &struct{}{}, true); err != nil {
		return err
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
	payload, err := a.store.Payload(c.ctx, id)
	if err != nil {
		return err
	}
	return c.reply(fiber.StatusOK, convoyOut{Status: true, Message: "Event replayed successfully", Data: a.convoyEvent(&ev, &payload, deliveries)})
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

func (a *App) convoyEvent(ev *relay.Event, p *relay.Payload, deliveries []relay.Delivery) convoyEvent {
	config := a.store.Config()
	headers := map[string][]string{}
	var secret []string
	if src, ok := config.Source(ev.SourceID); ok {
		secret = secretHeadersOf(src)
	}
	for _, h := range relay.RedactHeaders(p.Headers, secret...) {
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
	for i := range deliveries {
		out.Endpoints = append(out.Endpoints, relay.PrefixEndpoint.Format(deliveries[i].EndpointID))
		if e, ok := config.Endpoint(deliveries[i].EndpointID); ok {
			out.EndpointMetadata = append(out.EndpointMetadata, convoyEndpointOf(e))
		}
	}
	if src, ok := config.Source(ev.SourceID); ok {
		out.SourceMetadata = a.convoySourceOf(src)
	}
	return out
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
