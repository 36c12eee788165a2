package replays

import (
	"bytes"
	"context"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// written is what came of some pairs.
type written struct {
	pairs     countsByID
	delivered countsByID // before
	err       error
}

// checkpoint waits until what was found so far is written down, and has the next
// pairs written together with the state that this leads to.
func (r *PlanRun) checkpoint() error {
	err := r.wait()
	r.saved = sqldb.JSONText(r.planState)
	return err
}

// write adds candidates, in the order of their events, and writes their pairs down
// while the next ones are read. It reports whether there are more than MaxEvents.
func (r *PlanRun) write(ctx context.Context, found []candidate) (cut bool) {
	pairs, own := make([]PairID, 0, len(found)), make([]relay.ID, 1)
	var last relay.ID
	for i := range found {
		c := &found[i]
		own[0] = c.endpoint
		takers := own
		if c.endpoint.IsZero() {
			takers = r.kinds[c.kind].takers
		}
		if len(takers) == 0 {
			r.Tally.Unmatched++
			continue
		}
		if c.event != last && !c.seen {
			last, cut = c.event, r.Row.MaxEvents > 0 && r.Tally.Events >= r.Row.MaxEvents
			if cut {
				r.Tally.LeftOut++
			} else {
				r.count(c)
			}
		}
		if cut {
			continue
		}
		for _, id := range takers {
			pairs = append(pairs, PairID{c.event, id})
		}
	}
	if len(pairs) == 0 {
		return cut
	}
	first := r.Part + 1
	r.Part += int64((len(pairs) + packedPairs - 1) / packedPairs)
	r.writing = make(chan written, 1)
	go func(to chan<- written) { to <- r.writePairs(ctx, first, pairs) }(r.writing)
	return cut
}

func (r *PlanRun) count(c *candidate) {
	if r.First.IsZero() || bytes.Compare(c.event[:], r.First[:]) < 0 {
		r.First = c.event
	}
	if bytes.Compare(c.event[:], r.Newest[:]) > 0 {
		r.Newest = c.event
	}
	at := c.at()
	r.Tally.event(r.kinds[c.kind].typ, at/hourMicros, at, at, 1)
}

// writePairs writes pairs down and counts, at the same time, those that were
// delivered before.
func (r *PlanRun) writePairs(ctx context.Context, part int64, pairs []PairID) (out written) {
	wrote := make(chan error, 1)
	go func() { wrote <- r.commit(ctx, partsOf(r.Row.ID, part, pairs)) }()
	out.pairs, out.delivered, out.err = r.countPairs(ctx, pairs)
	if err := <-wrote; out.err == nil {
		out.err = err
	}
	return out
}

// wait waits until all that was added is written down.
func (r *PlanRun) wait() error {
	if r.writing == nil {
		return nil
	}
	done := <-r.writing
	r.writing = nil
	for endpoint, n := range done.pairs {
		r.Tally.Pairs[endpoint] += n
		r.Tally.Delivered[endpoint] += done.delivered[endpoint]
	}
	return done.err
}

// exactTimes reads when the first and the last event were received, which their
// ids say to the millisecond only.
func (r *PlanRun) exactTimes(ctx context.Context) error {
	if r.First.IsZero() {
		return nil
	}
	var times []int64
	err := r.R.NewSelect().Table("events").Column("received_at").
		Where("project_id = ? AND id IN (?)", r.Row.ProjectID, bun.List([]relay.ID{r.First, r.Newest})).Scan(ctx, &times)
	for _, at := range times {
		if at/1000 == r.Tally.Oldest/1000 {
			r.Tally.Oldest = at
		}
		if at/1000 == r.Tally.Newest/1000 {
			r.Tally.Newest = at
		}
	}
	return sqldb.Translate(err)
}
