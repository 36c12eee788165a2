package handlers

import "github.com/gofiber/fiber/v2"

// driftstackReplay starts a delivery over, in place. The answer is the
// delivery itself, without an envelope.
func (a *App) driftstackReplay(c *call) error {
	d, err := a.retry(c, "delivery", "webhook_delivery.replayed")
	if err != nil {
		return err
	}
	return c.reply(fiber.StatusOK, deliveryShape(&d))
}

// driftstackDeliveries lists the deliveries of one endpoint.
func (a *App) driftstackDeliveries(c *call) error {
	e, err := a.endpoint(c, "endpoint")
	if err != nil {
		return err
	}
	p, page := c.list("event_type", "status", "from", "to")
	filter := deliveryFilter(p)
	filter.EndpointID = e.ID
	return a.answerDeliveries(c, p, filter, page)
}
