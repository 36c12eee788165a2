package jobs

import (
	"testing"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

func TestPayloadsAreForgottenOnceSent(t *testing.T) {
	t.Parallel()
	const size = 1 << 10
	c := newPayloads(8 * (size + 2048))
	put := func(uses int) relay.ID {
		p := &db.EventPayload{Event: relay.Event{ID: relay.NewID()}, Payload: relay.Payload{Body: make([]byte, size)}}
		c.put(p, uses)
		return p.Event.ID
	}
	there := func(what string, id relay.ID, want bool) {
		t.Helper()
		if got := c.get(id) != nil; got != want {
			t.Errorf("%s: there %v, want %v", what, got, want)
		}
	}
	two := put(2)
	c.sent(two)
	there("one of two was sent", two, true)
	c.put(c.get(two), 1)
	c.sent(two)
	there("another task came to need it", two, true)
	c.sent(two)
	there("all were sent", two, false)
	c.sent(two) // of what is not there, nothing happens

	oldest := put(1)
	for range 8 {
		put(1)
	}
	there("newer ones took its place", oldest, false)
	if c.order.Len() != 8 || len(c.byID) != 8 || c.bytes != 8*(size+2048) {
		t.Errorf("%d kept, %d known, %d bytes", c.order.Len(), len(c.byID), c.bytes)
	}
	c.put(&db.EventPayload{Event: relay.Event{ID: oldest}, Payload: relay.Payload{Body: make([]byte, 3*(size+2048))}}, 1)
	there("too large to be worth it", oldest, false)
}
