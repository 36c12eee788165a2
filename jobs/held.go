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
	until time.Time // when its lease ends
}

func newHeld() *held { return &held{claims: map[relay.ID]heldClaim{}} }

func (h *held) put(claims []db.Claim, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range claims {
		h.claims[c.DeliveryID] = heldClaim{c, until}
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

// list copies what is held.
func (h *held) list() []heldClaim {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]heldClaim, 0, len(h.claims))
	for _, c := range h.claims {
		out = append(out, c)
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
