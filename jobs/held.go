package jobs

import (
	"sync"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// held are the claims of this process that have not begun. Beginning one takes
// it out, so that of two tasks for it only one sends.
type held struct {
	mu     sync.Mutex
	claims map[relay.ID]heldClaim
}

type heldClaim struct {
	db.Claim
	since time.Time // when it was known to be wanted; zero: it is to be looked at
	until time.Time // when its lease ends
	// doubtful claims were queued twice, for Redis may have lost the first
	// task. If it did not, another process may have adopted them by it.
	doubtful bool
}

func newHeld() *held { return &held{claims: map[relay.ID]heldClaim{}} }

// put takes claims on what is due, or was made just now.
func (h *held) put(claims []db.Claim, made bool, since, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range claims {
		mine := heldClaim{Claim: c, since: since, until: until}
		if !c.ReplayID.IsZero() && !made {
			mine.since = time.Time{} // its job may be paused
		}
		h.claims[c.DeliveryID] = mine
	}
}

func (h *held) take(ref db.ClaimRef) (heldClaim, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.claims[ref.DeliveryID]
	if !ok || c.Fence != ref.Fence {
		return heldClaim{}, false
	}
	delete(h.claims, ref.DeliveryID)
	return c, true
}

// doubt lists what is held and marks it as doubtful.
func (h *held) doubt() []db.Claim {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]db.Claim, 0, len(h.claims))
	for id, c := range h.claims {
		out = append(out, c.Claim)
		c.doubtful = true
		h.claims[id] = c
	}
	return out
}

// drain takes everything out.
func (h *held) drain() []db.ClaimRef {
	h.mu.Lock()
	defer h.mu.Unlock()
	refs := make([]db.ClaimRef, 0, len(h.claims))
	for id, c := range h.claims {
		refs = append(refs, db.ClaimRef{DeliveryID: id, Fence: c.Fence})
	}
	clear(h.claims)
	return refs
}
