package replays

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// PairID is an event and an endpoint that it is to go to.
type PairID struct{ Event, Endpoint relay.ID }

// pairFact is what was there before of a pair.
type pairFact struct {
	newest    relay.ID // zero: nothing
	delivered bool
}

// makePairs handles pairs in order until it has made most deliveries, and
// moves the cursor, in row too, behind the last that it handled.
func (s *Store) makePairs(row *ReplayRow, at PageRead, most int, run func(...*sqldb.Work) error) (ReplayStep, error) {
	facts, err := askPairs(row, at.Pairs, run)
	if err != nil {
		return ReplayStep{}, err
	}
	step := ReplayStep{Drained: at.Last}
	now, config := s.Now(), s.Config()
	end, delivered, gone := at.End, row.SkippedDelivered, row.SkippedGone
	insert, mark, forward := &sqldb.Work{Bulk: engine.InsertDelivery}, &sqldb.Work{Bulk: MarkReplayed}, &sqldb.Work{Bulk: forwardEvents}
	for i := range at.Pairs {
		if step.Made == most {
			end = at.Pairs[i-1].cursor()
			step.Drained = false
			break
		}
		p := &at.Pairs[i]
		fact := facts[PairID{p.Event, p.Endpoint}]
		switch {
		case p.missing || config.Gone(p.Endpoint):
			gone++
			step.Skipped++
			continue
		case row.SkipDelivered && fact.delivered, row.Backfill && !fact.newest.IsZero():
			delivered++
			step.Skipped++
			continue
		}
		d := newReplay(row, p, fact, now.Add(time.Duration(step.Made)*time.Microsecond))
		insert.Add(engine.DeliveryArgs(&d, nil)...)
		if !slices.Contains(step.Endpoints, p.Endpoint) {
			step.Endpoints = append(step.Endpoints, p.Endpoint)
		}
		mark.Add(d.ID[:], p.Event[:], row.ProjectID[:], p.Endpoint[:])
		if last := len(forward.Rows) - 1; last < 0 || !bytes.Equal(forward.Rows[last][1].([]byte), p.Event[:]) {
			forward.Add(row.ProjectID[:], p.Event[:])
		}
		step.Made++
	}
	if step.Made+step.Skipped == 0 && !step.Drained && bytes.Equal(end.Event, row.CursorEvent) && bytes.Equal(end.Endpoint, row.CursorEndpoint) {
		return step, nil
	}
	was := row.Page
	row.CursorEvent, row.CursorEndpoint, row.CursorPart = end.Event, end.Endpoint, end.Part
	row.Made, row.SkippedDelivered, row.SkippedGone = row.Made+step.Made, delivered, gone
	row.Drained, row.Page = step.Drained, was+1
	move := &sqldb.Work{Bulk: moveReplay}
	move.Add(end.Event, end.Endpoint, end.Part, int64(row.Made), int64(delivered), int64(gone), step.Drained, sqldb.Micros(now), row.ID[:], was)
	if err := run(move); err != nil {
		return ReplayStep{}, err
	}
	if !move.Hit[0] {
		return ReplayStep{}, errMoved
	}
	if err := run(mark, insert, forward); err != nil {
		return ReplayStep{}, err
	}
	if i := slices.Index(insert.Hit, false); i >= 0 {
		return ReplayStep{}, fmt.Errorf("db: a delivery of %s was there before its turn", relay.PrefixReplay.Format(row.ID))
	}
	return step, nil
}

// askPairs locks the events of pairs against other replays and reads what was
// there before.
func askPairs(row *ReplayRow, pairs []Pair, run func(...*sqldb.Work) error) (map[PairID]pairFact, error) {
	lock, ask := &sqldb.Work{Bulk: lockReplayed}, &sqldb.Work{Bulk: PairFacts}
	for i := range pairs {
		p := &pairs[i]
		lock.Add(p.Event[:], row.ProjectID[:], p.Endpoint[:])
		ask.Add(p.Event[:], row.ProjectID[:], p.Endpoint[:])
	}
	if err := run(lock, ask); err != nil {
		return nil, err
	}
	facts := make(map[PairID]pairFact, len(pairs))
	for _, r := range ask.Out {
		var f pairFact
		if newest, ok := r[2].([]byte); ok {
			f.newest = relay.ID(newest)
		}
		f.delivered = r[3].(int64) != 0
		facts[PairID{relay.ID(r[0].([]byte)), relay.ID(r[1].([]byte))}] = f
	}
	return facts, nil
}

func newReplay(row *ReplayRow, p *Pair, fact pairFact, at time.Time) relay.Delivery {
	d := relay.Delivery{ID: relay.NewIDAt(at), ProjectID: row.ProjectID, EventID: p.Event, EndpointID: p.Endpoint, SourceID: p.source,
		EventType: p.typ, Status: relay.DeliveryPending, Lane: relay.LaneReplay, NextAttemptAt: at, Trigger: relay.TriggerReplay,
		ReplayID: row.ID, ReplayOf: fact.newest, CreatedAt: at}
	if !fact.newest.IsZero() && bytes.Compare(d.ID[:], fact.newest[:]) <= 0 { // ids of one millisecond are in no order
		d.ID = relay.NewIDAt(fact.newest.Time().Add(time.Millisecond))
	}
	return d
}
