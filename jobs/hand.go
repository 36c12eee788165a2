package jobs

import (
	"sync"
	"time"

	"github.com/reprise-dev/reprise/db"
)

// claim is a delivery that this process may send.
type claim struct {
	db.Claim
	since   time.Time // when it was known to be wanted; zero: it is to be looked at
	changes int64     // db.Store.Changes of then
	until   time.Time // when its lease ends
}

// hand holds the deliveries that were committed in the hands of this process
// and that have not begun, oldest first. Making them so saves the claim, which
// would cost the database as much again as they did. A task in the queue of this
// process says that there may be some.
type hand struct {
	mu     sync.Mutex
	claims []claim
}

func (h *hand) add(claims []claim) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.claims = append(h.claims, claims...)
}

// take takes the oldest, n at most.
func (h *hand) take(n int) []claim {
	h.mu.Lock()
	defer h.mu.Unlock()
	n = min(n, len(h.claims))
	out := h.claims[:n:n]
	h.claims = h.claims[n:]
	return out
}

// waiting is how many have been waiting since a time or longer: their task may
// have been lost.
func (h *hand) waiting(since time.Time) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.claims {
		if h.claims[i].since.After(since) {
			return i
		}
	}
	return len(h.claims)
}

// drain takes everything out.
func (h *hand) drain() []claim {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.claims
	h.claims = nil
	return out
}

func (h *hand) size() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.claims)
}
