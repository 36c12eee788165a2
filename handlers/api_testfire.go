package handlers

import (
	"context"
	"encoding/json"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

func (a *App) testFire(c *call) error {
	d, err := a.testFireOf(c, "id")
	if err != nil {
		return err
	}
	return c.data(fiber.StatusAccepted, deliveryShape(&d))
}

// testFireOf sends a test event to the endpoint that the path names.
func (a *App) testFireOf(c *call, param string) (relay.Delivery, error) {
	e, err := a.endpoint(c, param)
	if err != nil {
		return relay.Delivery{}, err
	}
	var in struct {
		Event opt[string] `json:"event"`
	}
	if err := decodeBody(c.body(), &in, false); err != nil {
		return relay.Delivery{}, err
	}
	return a.fireTest(c.ctx, c.Actor, e, in.Event.Value)
}

// fireTest makes a synthetic event and one delivery of it. It goes the way of
// every event, with the endpoint's own secret, and belongs to no source.
func (a *App) fireTest(ctx context.Context, by relay.Actor, e *relay.Endpoint, eventType string) (relay.Delivery, error) {
	if eventType == "" || !isEventText(eventType) {
		return relay.Delivery{}, relay.Invalid(relay.FieldError{Field: "event", Message: "must be an event type of 1 to 255 bytes, such as message.delivered"})
	}
	if e.Status == relay.EndpointDisabled {
		return relay.Delivery{}, &relay.Error{Kind: relay.KindConflict, Detail: "This endpoint is disabled: it gets no deliveries."}
	}
	if err := a.allowTestFire(ctx, e.ID); err != nil {
		return relay.Delivery{}, err
	}
	now := a.clock()
	id := relay.NewIDAt(now)
	body, err := json.Marshal(testEvent(id, eventType, timeOrNull(now)))
	if err != nil {
		return relay.Delivery{}, err
	}
	reason := relay.RouteMatched
	if e.Status == relay.EndpointPaused {
		reason = relay.RoutePaused
	}
	in := &reception{
		event: relay.Event{
			ID: id, ProjectID: e.ProjectID, EventType: eventType, Status: relay.EventForwarding, SignatureValid: true,
			Verdict: relay.VerdictUnverified, IsTest: true, ContentType: fiber.MIMEApplicationJSON, Size: len(body), ReceivedAt: now,
		},
		payload: relay.Payload{
			Method: fiber.MethodPost, IP: by.IP, Body: body, Routing: []relay.Route{{EndpointID: e.ID, Reason: reason}},
			Headers: relay.Headers{{Name: fiber.HeaderContentType, Value: fiber.MIMEApplicationJSON}},
		},
		targets: []*relay.Endpoint{e},
		trigger: relay.TriggerTest,
	}
	_, deliveries, err := a.receive(ctx, in)
	if err != nil {
		return relay.Delivery{}, err
	}
	return deliveries[0], a.store.Audit(ctx, relay.AuditEntry{
		ProjectID: e.ProjectID, Actor: by, Action: "endpoint.test_fired", Target: relay.PrefixEndpoint.Format(e.ID),
		Data: map[string]any{
			"event_type": eventType, "event_id": relay.PrefixEvent.Format(id), "delivery_id": relay.PrefixDelivery.Format(deliveries[0].ID),
		},
	})
}

type testBody struct {
	ID        string         `json:"id"`
	Type      string         `json:"type"`
	CreatedAt *string        `json:"created_at"`
	Data      map[string]any `json:"data"`
}

// testEvent is the body of a test: data.test tells it from the real thing.
func testEvent(id relay.ID, eventType string, at *string) testBody {
	data := fixture(eventType)
	data["test"] = true
	return testBody{ID: relay.PrefixEvent.Format(id), Type: eventType, CreatedAt: at, Data: data}
}
