package db

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

type pairID struct{ event, endpoint relay.ID }

// pairFact is what was there before of a pair.
type pairFact struct {
	newest    relay.ID // zero: nothing
	delivered bool
}

// makePairs handles pairs in order until it has made most deliveries, and
// moves the cursor, in row too, behind the last that it handled.
func (s *Store) makePairs(row *replayRow, at pageRead, most int, run func(...*work) error) (ReplayStep, error) {
	facts, err := askPairs(row, at.pairs, run)
	if err != nil {
		return ReplayStep{}, err
	}
	step := ReplayStep{Drained: at.last}
	now, config := s.Now(), s.Config()
	end, delivered, gone := at.end, row.SkippedDelivered, row.SkippedGone
	insert, mark, forward := &work{bulk: insertDelivery}, &work{bulk: markReplayed}, &work{bulk: forwardEvents}
	for i := range at.pairs {
		if step.Made == most {
			end = at.pairs[i-1].cursor()
			step.Drained = false
			break
		}
		p := &at.pairs[i]
		fact := facts[pairID{p.event, p.endpoint}]
		switch {
		case p.missing || config.gone(p.endpoint):
			gone++
			step.Skipped++
			continue
		case row.SkipDelivered && fact.delivered, row.Backfill && !fact.newest.IsZero():
			delivered++
			step.Skipped++
			continue
		}
		d := newReplay(row, p, fact, now.Add(time.Duration(step.Made)*time.Microsecond))
		insert.add(deliveryArgs(&d, nil)...)
		if !slices.Contains(step.Endpoints, p.endpoint) {
			step.Endpoints = append(step.Endpoints, p.endpoint)
		}
		mark.add(d.ID[:], p.event[:], row.ProjectID[:], p.endpoint[:])
		if last := len(forward.rows) - 1; last < 0 || !bytes.Equal(forward.rows[last][1].([]byte), p.event[:]) {
			forward.add(row.ProjectID[:], p.event[:])
		}
		step.Made++
	}
	if step.Made+step.Skipped == 0 && !step.Drained && bytes.Equal(end.event, row.CursorEvent) && bytes.Equal(end.endpoint, row.CursorEndpoint) {
		return step, nil
	}
	was := row.Page
	row.CursorEvent, row.CursorEndpoint, row.CursorPart = end.event, end.endpoint, end.part
	row.Made, row.SkippedDelivered, row.SkippedGone = row.Made+step.Made, delivered, gone
	row.Drained, row.Page = step.Drained, was+1
	move := &work{bulk: moveReplay}
	move.add(end.event, end.endpoint, end.part, int64(row.Made), int64(delivered), int64(gone), step.Drained, micros(now), row.ID[:], was)
	if err := run(move); err != nil {
		return ReplayStep{}, err
	}
	if !move.hit[0] {
		return ReplayStep{}, errMoved
	}
	if err := run(mark, insert, forward); err != nil {
		return ReplayStep{}, err
	}
	if i := slices.Index(insert.hit, false); i >= 0 {
		return ReplayStep{}, fmt.Errorf("db: a delivery of %s was there before its turn", relay.PrefixReplay.Format(row.ID))
	}
	return step, nil
}

// askPairs locks the events of pairs against other replays and reads what was
// there before.
func askPairs(row *replayRow, pairs []pair, run func(...*work) error) (map[pairID]pairFact, error) {
	lock, ask := &work{bulk: lockReplayed}, &work{bulk: pairFacts}
	for i := range pairs {
		p := &pairs[i]
		lock.add(p.event[:], row.ProjectID[:], p.endpoint[:])
		ask.add(p.event[:], row.ProjectID[:], p.endpoint[:])
	}
	if err := run(lock, ask); err != nil {
		return nil, err
	}
	facts := make(map[pairID]pairFact, len(pairs))
	for _, r := range ask.out {
		var f pairFact
		if newest, ok := r[2].([]byte); ok {
			f.newest = relay.ID(newest)
		}
		f.delivered = r[3].(int64) != 0
		facts[pairID{relay.ID(r[0].([]byte)), relay.ID(r[1].([]byte))}] = f
	}
	return facts, nil
}

func newReplay(row *replayRow, p *pair, fact pairFact, at time.Time) relay.Delivery {
	d := relay.Delivery{ID: relay.NewIDAt(at), ProjectID: row.ProjectID, EventID: p.event, EndpointID: p.endpoint, SourceID: p.source,
		EventType: p.typ, Status: relay.DeliveryPending, Lane: relay.LaneReplay, NextAttemptAt: at, Trigger: relay.TriggerReplay,
		ReplayID: row.ID, ReplayOf: fact.newest, CreatedAt: at}
	if !fact.newest.IsZero() && bytes.Compare(d.ID[:], fact.newest[:]) <= 0 { // ids of one millisecond are in no order
		d.ID = relay.NewIDAt(fact.newest.Time().Add(time.Millisecond))
	}
	return d
}
