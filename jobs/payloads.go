package jobs

import (
	"container/list"
	"sync"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// payloadBytes bounds the memory of payloads.
const payloadBytes = 64 << 20

// payloads keeps what is about to be sent, so that deliveries made a moment
// ago need no read, and those of one task share one. What is sent is
// forgotten: a retry reads again, and the garbage collector has little to walk.
type payloads struct {
	mu    sync.Mutex
	byID  map[relay.ID]*list.Element
	order *list.List // of *payload, oldest first
	bytes int
	most  int
}

type payload struct {
	*db.EventPayload
	uses int // deliveries that have yet to be sent
}

func newPayloads(most int) *payloads {
	return &payloads{byID: map[relay.ID]*list.Element{}, order: list.New(), most: most}
}

func weigh(p *db.EventPayload) int { return len(p.Payload.Body) + 2048 }

// put keeps a payload until as many deliveries are sent as it is for.
func (c *payloads) put(p *db.EventPayload, uses int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if there := c.byID[p.Event.ID]; there != nil {
		there.Value.(*payload).uses += uses
		return
	}
	if weigh(p) > c.most/4 {
		return
	}
	c.byID[p.Event.ID] = c.order.PushBack(&payload{p, uses})
	c.bytes += weigh(p)
	for c.bytes > c.most {
		c.remove(c.order.Front())
	}
}

func (c *payloads) get(event relay.ID) *db.EventPayload {
	c.mu.Lock()
	defer c.mu.Unlock()
	if there := c.byID[event]; there != nil {
		return there.Value.(*payload).EventPayload
	}
	return nil
}

// sent notes that one of the deliveries is sent, or will not be now.
func (c *payloads) sent(event relay.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	there := c.byID[event]
	if there == nil {
		return
	}
	p := there.Value.(*payload)
	if p.uses--; p.uses <= 0 {
		c.remove(there)
	}
}

func (c *payloads) remove(e *list.Element) {
	p := c.order.Remove(e).(*payload)
	delete(c.byID, p.Event.ID)
	c.bytes -= weigh(p.EventPayload)
}
