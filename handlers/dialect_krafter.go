package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

// krafterReplay replays an event of a source, to all destinations that want it
// or to those that are named.
func (a *App) krafterReplay(c *call) error {
	source, err := c.id("source", relay.PrefixSource)
	if err != nil {
		return err
	}
	ev, err := a.event(c, "event")
	if err != nil {
		return err
	}
	if ev.SourceID != source {
		return relay.ErrNotFound
	}
	var in struct {
		DestinationIDs opt[[]string] `json:"destination_ids"`
	}
	if err := decodeBody(c.body(), &in, true); err != nil {
		return err
	}
	deliveries, err := a.replay(c, ev.ID, "destination_ids", in.DestinationIDs)
	if err != nil {
		return err
	}
	return c.data(fiber.StatusAccepted, replayShape(ev.ID, deliveries))
}
