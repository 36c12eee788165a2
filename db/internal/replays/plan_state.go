package replays

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// planState is where the planning of a job stands. It lies in the job's row, and
// whoever reads it goes on from there.
type planState struct {
	By     relay.Actor // who asked for the job
	Starts bool        // the job runs as soon as it is planned
	// From and Before are between which ids the rest lies: of events that are
	// counted now and walked through later, up to Settled; after it, of events
	// that are written down pair by pair. Of deliveries, ids of these.
	From, Before []byte
	Settled      []byte
	Part         int64 // the last part of pairs that was written
	// First and Newest are the first and last event of those written down.
	First, Newest relay.ID
	Tally         replayTally
}

// beginPlan is the state before anything was done. The scope of a job is fixed
// here: what comes in later has greater ids.
func (s *Store) beginPlan(j *relay.ReplayJob, by relay.Actor, now time.Time) *planState {
	lower, upper := idRange(&j.Selection, now)
	st := &planState{By: by, Starts: j.Starts, Tally: newReplayTally()}
	switch f := &j.Selection; {
	case f.OfDeliveries():
		st.From, st.Before, st.Settled = sqldb.ZeroID(), sqldb.IDBound(now.Add(time.Minute)), sqldb.ZeroID() // ids may be ahead of the clock by a little
	case !walked(f):
		st.From, st.Before, st.Settled = lower, upper, sqldb.ZeroID()
	default:
		st.From, st.Before, st.Settled = lower, upper, sqldb.MaxBytes(least(upper, s.settledID()), lower)
		if j.Backfill {
			st.Settled = upper
		}
	}
	return st
}

// walked reports whether a selection is over facts that never change: then its
// events are walked through when the job runs, instead of being written down.
func walked(f *relay.Selection) bool {
	return !f.OfDeliveries() && len(f.EventIDs) == 0 && f.Status == "" && f.Q == ""
}

// idRange are the ids that a time range of events can have, and now's at most.
func idRange(f *relay.Selection, now time.Time) (lower, upper []byte) {
	const slack = 2 * time.Second
	lower, upper = sqldb.ZeroID(), sqldb.IDBound(now.Add(time.Millisecond))
	if !f.From.IsZero() {
		lower = sqldb.IDBound(f.From.Add(-slack))
	}
	if !f.To.IsZero() {
		upper = least(upper, sqldb.IDBound(f.To.Add(slack)))
	}
	if bytes.Compare(lower, upper) > 0 {
		lower = upper
	}
	return lower, upper
}

func least(a, b []byte) []byte {
	if bytes.Compare(a, b) < 0 {
		return a
	}
	return b
}

// Plan is a job while it is being planned.
type Plan struct {
	planState
	Row       *ReplayRow
	Selection relay.Selection
	targets   []relay.ReplayTarget
	own       bool   // each delivery goes to its own endpoint
	saved     string // the state that the row has, or gets with the next pairs
	kinds     []planKind
	kindOf    map[string]int
	kindKey   []byte
}

// planKind is a kind of event that a plan came across.
type planKind struct {
	source   relay.ID
	typ      string
	takers   []relay.ID // in the order of their ids
	selected bool
}

// openPlan reads a plan from its job's row.
func openPlan(row *ReplayRow) (*Plan, error) {
	p := &Plan{Row: row, kindOf: map[string]int{}, saved: row.Planning}
	job, err := row.open()
	if err != nil {
		return nil, err
	}
	p.Selection, p.own = job.Selection, ownEndpoints(&job)
	if p.targets, err = row.targets(); err != nil {
		return nil, err
	}
	p.planState, err = sqldb.FromJSON[planState](row.Planning)
	return p, err
}

// counted is what the plan says so far.
func (p *Plan) counted(config *settings.Snapshot) relay.ReplayPlan {
	return p.Tally.plan(config, p.Row.SkipDelivered || p.Row.Backfill, p.Row.RateLimit)
}

// countNamed says how many events or deliveries a selection names, instead of which.
func countNamed(f *relay.Selection) {
	if n := len(f.EventIDs) + len(f.DeliveryIDs); n > 0 {
		f.Named, f.EventIDs, f.DeliveryIDs = n, nil, nil
	}
}

// kind is a kind of event, and where it is in plan.kinds.
func (p *Plan) kind(source, typ []byte) (int, *planKind) {
	p.kindKey = append(append(p.kindKey[:0], source...), typ...)
	i, known := p.kindOf[string(p.kindKey)]
	if !known {
		k := planKind{source: relay.ID(source), typ: string(typ)}
		k.selected = p.Selection.TakesEvent(k.source, k.typ)
		for t := range p.targets {
			if k.selected && p.targets[t].Takes(k.source, k.typ) {
				k.takers = append(k.takers, p.targets[t].EndpointID)
			}
		}
		slices.SortFunc(k.takers, func(a, b relay.ID) int { return bytes.Compare(a[:], b[:]) })
		i = len(p.kinds)
		p.kindOf[string(p.kindKey)] = i
		p.kinds = append(p.kinds, k)
	}
	return i, &p.kinds[i]
}

// aside is the plan for another goroutine to read candidates with.
func (p *Plan) aside() *Plan {
	return &Plan{Row: p.Row, Selection: p.Selection, targets: p.targets, own: p.own, kindOf: map[string]int{}, planState: planState{Tally: newReplayTally()}}
}

// countsByID counts by ids, which JSON holds in hex.
type countsByID map[relay.ID]int

// MarshalJSON is json.Marshaler.
func (c countsByID) MarshalJSON() ([]byte, error) {
	out := make(map[string]int, len(c))
	for id, n := range c {
		out[id.Hex()] = n
	}
	return json.Marshal(out)
}

// UnmarshalJSON is json.Unmarshaler.
func (c *countsByID) UnmarshalJSON(text []byte) error {
	var in map[string]int
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*c = make(countsByID, len(in))
	for name, n := range in {
		id, err := hex.DecodeString(name)
		if err != nil || len(id) != len(relay.ID{}) {
			return &json.UnsupportedValueError{Str: name}
		}
		(*c)[relay.ID(id)] = n
	}
	return nil
}
