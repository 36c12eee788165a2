package jobs

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

const (
	// freshFor is how long a look at a claim is believed: what another process
	// discards or pauses within it can still go out, as if it had begun just before.
	freshFor = 5 * time.Millisecond
	// waitAgain is when something is looked at again whose job is paused.
	waitAgain = time.Second
	// aloneWait is how long a suspect waits for its turn before it is given back.
	aloneWait = time.Second
)

// look tells how the claims of one task stand. Claims wait: in Redis, for their
// endpoint, for a place. Meanwhile people discard, pause and cancel.
type look struct {
	store *db.Store

	turn    chan struct{} // of who asks: one at a time
	claims  []db.Claim
	at      time.Time
	changes int64
	found   map[relay.ID]db.Standing
}

func newLook(store *db.Store, claims []claim) *look {
	l := &look{store: store, turn: make(chan struct{}, 1), claims: make([]db.Claim, len(claims))}
	for i, c := range claims {
		l.claims[i] = c.Claim
	}
	return l
}

// standing is how a claim stands now, right before its request. It asks the
// database, for all claims of the task at once, unless the claim or the last
// look is fresh and nothing was stopped since.
func (l *look) standing(ctx context.Context, c claim, now time.Time) (db.Standing, error) {
	changes := l.store.Changes()
	if now.Sub(c.since) <= freshFor && c.changes == changes {
		return db.ClaimHolds, nil
	}
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return db.ClaimLost, ctx.Err()
	}
	defer func() { <-l.turn }()
	if l.found == nil || now.Sub(l.at) > freshFor || l.changes != changes {
		found, err := l.store.Standings(ctx, l.claims)
		if err != nil {
			return db.ClaimLost, err
		}
		l.found, l.at, l.changes = found, now, changes
	}
	return l.found[c.DeliveryID], nil
}

// suspect reports whether a claim was in the hands of several processes that
// died.
func (c *claim) suspect() bool { return c.Interrupted >= relay.SuspectAfter }

// aloneTurn waits a while for the turn of a suspect.
func (e *Engine) aloneTurn(ctx context.Context) bool {
	timer := time.NewTimer(aloneWait)
	defer timer.Stop()
	select {
	case e.alone <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
