package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

// sendokaOut is what sendoka's calls about one delivery answer: the form of
// replay-failed, and which delivery it is.
type sendokaOut struct {
	queuedOut
	DeliveryID string      `json:"delivery_id"`
	EventID    string      `json:"event_id"`
	Data       deliveryOut `json:"data"`
}

func sendokaShape(d *relay.Delivery) sendokaOut {
	return sendokaOut{
		queuedOut{Queued: 1, EndpointID: relay.PrefixEndpoint.Format(d.EndpointID)},
		relay.PrefixDelivery.Format(d.ID), relay.PrefixEvent.Format(d.EventID), deliveryShape(d),
	}
}

// sendokaReplay makes a new delivery of one that belongs to the endpoint.
func (a *App) sendokaReplay(c *call) error {
	e, err := a.endpoint(c, "endpoint")
	if err != nil {
		return err
	}
	id, err := c.id("delivery", relay.PrefixDelivery)
	if err != nil {
		return err
	}
	old, err := a.store.Delivery(c.ctx, c.Project, id)
	if err != nil {
		return err
	}
	if old.EndpointID != e.ID {
		return relay.ErrNotFound
	}
	d, err := a.store.ReplayDelivery(c.ctx, c.Project, id, c.Actor, a.replayBudget)
	if err != nil {
		return err
	}
	a.nudge(e.ID)
	return c.reply(fiber.StatusAccepted, sendokaShape(&d))
}

// sendokaReplayFailed replays an endpoint's oldest dead letters.
func (a *App) sendokaReplayFailed(c *call) error {
	out, err := a.replayDead(c, "endpoint")
	if err != nil {
		return err
	}
	return c.reply(fiber.StatusAccepted, out)
}

// sendokaTestFire sends a test event.
func (a *App) sendokaTestFire(c *call) error {
	d, err := a.testFireOf(c, "endpoint")
	if err != nil {
		return err
	}
	return c.reply(fiber.StatusAccepted, sendokaShape(&d))
}
