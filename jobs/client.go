package jobs

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// Client is what the web side knows of the work: it tells that there is some,
// asks how the queue is, and counts against shared limits.
type Client struct {
	Redis    redis.UniversalClient
	Embedded bool
	Wake     *Wake
	Limit    *Limiter
	// Engine is the engine of this process; nil where only the web runs.
	Engine *Engine
}

// Nudge tells that endpoints have due work. It never blocks.
func (c *Client) Nudge(endpoints ...relay.ID) {
	if len(endpoints) == 0 {
		return
	}
	if c.Engine != nil {
		c.Engine.hints.add(endpoints...)
		c.Engine.poke()
		return
	}
	c.Wake.Publish(context.Background())
}

// Received hands over what was just committed, so that delivering it needs no
// read.
func (c *Client) Received(event *relay.Event, payload *relay.Payload, deliveries []relay.Delivery) {
	if c.Engine != nil && len(deliveries) > 0 {
		c.Engine.payloads.put(&db.EventPayload{Event: *event, Payload: *payload})
	}
}

// Status tells which Redis is used and whether it answers.
func (c *Client) Status(ctx context.Context) (backend string, err error) {
	backend = "redis"
	if c.Embedded {
		backend = "embedded"
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return backend, c.Redis.Ping(ctx).Err()
}

// Allow counts one act against a limit that all processes share, and tells
// when to come back if it is over.
func (c *Client) Allow(ctx context.Context, key string, rate int, per time.Duration) (bool, time.Duration) {
	if rate <= 0 {
		return true, 0
	}
	granted, wait, err := c.Limit.Take(ctx, key, rate, per, 1)
	return err != nil || granted > 0, wait
}
