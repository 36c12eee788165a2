package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// deadGroupOut are an endpoint's dead letters that look alike.
type deadGroupOut struct {
	EndpointID   string  `json:"endpoint_id"`
	EndpointName string  `json:"endpoint_name"`
	Cause        string  `json:"cause"`
	Example      string  `json:"example"`
	Count        int     `json:"count"`
	OldestAt     *string `json:"oldest_at"`
	NewestAt     *string `json:"newest_at"`
	NewestID     string  `json:"newest_delivery_id"`
}

func (a *App) deadGroupShape(g *relay.DeadGroup) deadGroupOut {
	out := deadGroupOut{
		EndpointID: relay.PrefixEndpoint.Format(g.EndpointID), Cause: g.Cause, Example: g.Example, Count: g.Count,
		OldestAt: timeOrNull(g.Oldest), NewestAt: timeOrNull(g.Newest), NewestID: relay.PrefixDelivery.Format(g.NewestID),
	}
	if e, ok := a.store.Config().Endpoint(g.EndpointID); ok {
		out.EndpointName = e.Name
	}
	return out
}

// listDeadLetters groups the dead letters by endpoint and cause. Which ones
// they are, GET /deliveries?status=failed tells.
func (a *App) listDeadLetters(c *call) error {
	p := c.params()
	if err := p.err(); err != nil {
		return err
	}
	groups, err := a.store.DeadLetterGroups(c.ctx, c.Project)
	if err != nil {
		return err
	}
	return replyList(c, db.Slice[relay.DeadGroup]{Rows: groups}, a.deadGroupShape)
}

// discardDeadLetters gives up on a group of dead letters, for a reason.
func (a *App) discardDeadLetters(c *call) error {
	if err := c.inProject(); err != nil {
		return err
	}
	var in struct {
		EndpointID opt[string] `json:"endpoint_id"`
		Cause      opt[string] `json:"cause"`
		Reason     opt[string] `json:"reason"`
	}
	if err := decodeBody(c.body(), &in, false); err != nil {
		return err
	}
	var r reading
	endpoint, cause, reason := r.id("endpoint_id", relay.PrefixEndpoint, in.EndpointID), r.text("cause", in.Cause), r.text("reason", in.Reason)
	r.require("endpoint_id", in.EndpointID)
	r.require("cause", in.Cause)
	r.require("reason", in.Reason)
	if len(reason) > maxReason {
		r.faults.add("reason", "must have at most 500 bytes")
	}
	if err := r.err(); err != nil {
		return err
	}
	n, err := a.store.DiscardDeadLetters(c.ctx, c.Project, endpoint, cause, reason, c.Actor)
	if err != nil {
		return err
	}
	return c.data(fiber.StatusOK, fiber.Map{"discarded": n, "endpoint_id": relay.PrefixEndpoint.Format(endpoint), "cause": cause})
}
