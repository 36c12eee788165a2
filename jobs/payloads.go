package jobs

import (
	"sync"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// payloadBytes bounds the memory of payloads.
const payloadBytes = 64 << 20

// payloads keeps what came in last, so that its first delivery needs no read.
type payloads struct {
	mu    sync.Mutex
	byID  map[relay.ID]*db.EventPayload
	order []relay.ID // oldest first
	bytes int
	most  int
}

func newPayloads(most int) *payloads {
	return &payloads{byID: map[relay.ID]*db.EventPayload{}, most: most}
}

func weigh(p *db.EventPayload) int { return len(p.Payload.Body) + 2048 }

func (c *payloads) put(p *db.EventPayload) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.byID[p.Event.ID]; there || weigh(p) > c.most/4 {
		return
	}
	c.byID[p.Event.ID] = p
	c.order = append(c.order, p.Event.ID)
	c.bytes += weigh(p)
	for c.bytes > c.most {
		if old := c.byID[c.order[0]]; old != nil {
			c.bytes -= weigh(old)
			delete(c.byID, c.order[0])
		}
		c.order = c.order[1:]
	}
}

func (c *payloads) get(event relay.ID) *db.EventPayload {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byID[event]
}
