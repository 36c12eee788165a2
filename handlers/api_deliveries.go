package handlers

import (
	"bytes"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

func (a *App) listDeliveries(c *call) error {
	p, page := c.list(deliveryParams...)
	return a.answerDeliveries(c, p, deliveryFilter(p), page)
}

func (a *App) answerDeliveries(c *call, p *params, filter db.DeliveryFilter, page db.Page) error {
	if err := p.err(); err != nil {
		return err
	}
	rows, err := a.store.Deliveries(c.ctx, c.Project, filter, page)
	if err != nil {
		return err
	}
	return replyList(c, rows, deliveryShape)
}

func (a *App) getDelivery(c *call) error {
	id, err := c.id("id", relay.PrefixDelivery)
	if err != nil {
		return err
	}
	d, err := a.store.Delivery(c.ctx, c.Project, id)
	if err != nil {
		return err
	}
	attempts, err := a.store.Attempts(c.ctx, d.ID)
	if err != nil {
		return err
	}
	out := deliveryDetail{deliveryShape(&d), make([]attemptOut, len(attempts))}
	for i := range attempts {
		out.AttemptLog[i] = attemptShape(&attempts[i])
	}
	return c.data(fiber.StatusOK, out)
}

func (a *App) retryDelivery(c *call) error {
	d, err := a.retry(c, "id", "webhook_delivery.retried")
	if err != nil {
		return err
	}
	return c.data(fiber.StatusOK, deliveryShape(&d))
}

// retry starts a delivery over, in place.
func (a *App) retry(c *call, param, action string) (relay.Delivery, error) {
	id, err := c.id(param, relay.PrefixDelivery)
	if err != nil {
		return relay.Delivery{}, err
	}
	d, err := a.store.RetryDelivery(c.ctx, c.Project, id, action, c.Actor)
	if err == nil {
		a.nudge(d.EndpointID)
	}
	return d, err
}

func (a *App) replayDelivery(c *call) error {
	id, err := c.id("id", relay.PrefixDelivery)
	if err != nil {
		return err
	}
	d, err := a.store.ReplayDelivery(c.ctx, c.Project, id, c.Actor, a.replayBudget)
	if err != nil {
		return err
	}
	a.nudge(d.EndpointID)
	return c.data(fiber.StatusAccepted, deliveryShape(&d))
}

const maxReason = 500

// reason reads a body that may give a reason and nothing else. These calls
// need no body: what is no object is ignored.
func (c *call) reason() (string, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(c.body()), []byte("{")) {
		return "", nil
	}
	var in struct {
		Reason opt[string] `json:"reason"`
	}
	if err := decodeBody(c.body(), &in, false); err != nil {
		return "", err
	}
	return in.Reason.Value, checkReason(in.Reason.Value)
}

func (a *App) discardDelivery(c *call) error {
	id, err := c.id("id", relay.PrefixDelivery)
	if err != nil {
		return err
	}
	reason, err := c.reason()
	if err != nil {
		return err
	}
	d, err := a.store.DiscardDelivery(c.ctx, c.Project, id, reason, c.Actor)
	if err != nil {
		return err
	}
	return c.data(fiber.StatusOK, deliveryShape(&d))
}

func checkReason(reason string) error {
	if len(reason) > maxReason {
		return relay.Invalid(relay.FieldError{Field: "reason", Message: "must have at most 500 bytes"})
	}
	return nil
}

// queuedOut is the answer of replay-failed.
type queuedOut struct {
	Queued     int    `json:"queued"`
	EndpointID string `json:"endpoint_id"`
}

func (a *App) replayFailed(c *call) error {
	out, err := a.replayDead(c, "id")
	if err != nil {
		return err
	}
	return c.data(fiber.StatusAccepted, out)
}

// maxReplayFailed is how many dead letters one call replays.
const maxReplayFailed = 100

// replayDead makes new deliveries of an endpoint's oldest dead letters.
func (a *App) replayDead(c *call, param string) (queuedOut, error) {
	e, err := a.endpoint(c, param)
	if err != nil {
		return queuedOut{}, err
	}
	var in struct {
		Since opt[string] `json:"since"`
	}
	if err := decodeBody(c.body(), &in, true); err != nil {
		return queuedOut{}, err
	}
	var since time.Time
	if in.Since.has() {
		if since, err = relay.ParseTime(in.Since.Value); err != nil {
			return queuedOut{}, relay.Invalid(relay.FieldError{Field: "since", Message: "must be a time such as 2026-01-31T09:30:00Z"})
		}
	}
	deliveries, err := a.store.ReplayFailed(c.ctx, c.Project, e.ID, since, maxReplayFailed, c.Actor, a.replayBudget)
	if err != nil {
		return queuedOut{}, err
	}
	a.nudge(e.ID)
	return queuedOut{Queued: len(deliveries), EndpointID: relay.PrefixEndpoint.Format(e.ID)}, nil
}
