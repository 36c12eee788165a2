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
	Store    *db.Store
	Redis    redis.UniversalClient
	Embedded bool
	Tasks    Tasks
	Limit    *Limiter
	// Engine is the engine of this process; nil where only the web runs.
	Engine *Engine

	asked *asked
}

// NewClient makes a Client. Its Tell is to run where no engine does.
func NewClient(store *db.Store, client redis.UniversalClient, embedded bool, tasks Tasks) *Client {
	return &Client{Store: store, Redis: client, Embedded: embedded, Tasks: tasks, Limit: NewLimiter(client), asked: newAsked()}
}

// Tell makes tasks for the workers of what became due, until ctx ends. What it
// cannot tell they find by themselves within a second or so.
func (c *Client) Tell(ctx context.Context) {
	c.asked.run(ctx, func(w work) {
		_ = c.Tasks.Enqueue(ctx, w.task(queueDeliver))
	})
}

// ReplayChanged has a job worked on at once that was started or changed, instead
// of within a second.
func (c *Client) ReplayChanged(id relay.ID) {
	if c.Engine != nil {
		c.Engine.replayChanged(id)
		return
	}
	_ = c.Tasks.Enqueue(context.Background(), sliceTask(sliceName(kindReplay, id), 0, time.Now())) // it is found within a second
}

// Nudge tells that endpoints have due work. It never blocks.
func (c *Client) Nudge(endpoints ...relay.ID) {
	for _, id := range endpoints {
		c.due(id, false)
		c.due(id, true)
	}
}

func (c *Client) due(endpoint relay.ID, replay bool) {
	asked := c.asked
	if c.Engine != nil {
		c.Engine.places.due(endpoint, true)
		asked = c.Engine.asked
	}
	asked.isDue(endpoint, replay)
}

// Take marks those of some deliveries that this process will send at once, and
// answers in whose hands they are to be made; nil: in nobody's.
func (c *Client) Take(deliveries []relay.Delivery) *db.Lease {
	if c.Engine == nil {
		return nil
	}
	return c.Engine.take(deliveries)
}

// Received tells of deliveries that were just committed. Those that were taken
// are sent without a claim and, as all that this process sends, without a read.
func (c *Client) Received(event *relay.Event, payload *relay.Payload, deliveries []relay.Delivery, lease *db.Lease) {
	if c.Engine != nil && len(deliveries) > 0 {
		c.Engine.payloads.put(&db.EventPayload{Event: *event, Payload: *payload}, len(deliveries))
	}
	if lease != nil {
		c.Engine.handOver(deliveries, lease.Until)
	}
	config := c.Store.Config()
	for i := range deliveries {
		d := &deliveries[i]
		if ep, ok := config.Endpoint(d.EndpointID); ok && ep.Status == relay.EndpointActive && !d.InFlight {
			c.due(d.EndpointID, false)
		}
	}
}

// Dropped forgets deliveries that were taken and then not made.
func (c *Client) Dropped(deliveries []relay.Delivery) {
	if c.Engine != nil {
		c.Engine.drop(deliveries)
	}
}

// Status tells which Redis is used and whether deliveries can go through it. If
// it answers and refuses, the error is a relay.Error with what it says.
func (c *Client) Status(ctx context.Context) (backend string, err error) {
	backend = "redis"
	if c.Embedded {
		backend = "embedded"
	}
	if c.Embedded {
		ctx, cancel := context.WithTimeout(ctx, probeTime)
		defer cancel()
		return backend, c.Redis.Ping(ctx).Err()
	}
	return backend, probe(ctx, c.Redis)
}

// Reserve counts one act against several such limits, or against none of them
// if one is over: then giveBack is nil.
func (c *Client) Reserve(ctx context.Context, keys []string, rate int, per time.Duration) (giveBack func(), retryAfter time.Duration) {
	giveBack, retryAfter, err := c.Limit.Take(ctx, rate, per, keys...)
	if err != nil { // the act itself will find that its time is over
		giveBack = func() {}
	}
	return giveBack, retryAfter
}
