package db

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// PlanReplay freezes what a job selects, counts it, and stores the job as
// planned. It sends nothing. The job comes in with its project, its selection
// and its choices, and gets everything else.
func (s *Store) PlanReplay(ctx context.Context, j *relay.ReplayJob, by relay.Actor) error {
	row, err := s.planReplay(ctx, j, by)
	if err != nil {
		return err
	}
	entry := replayEntry(j.ProjectID, j.ID, "planned", by)
	entry.Data["events"], entry.Data["deliveries"], entry.Data["note"] = j.Plan.Events, j.Plan.Deliveries, j.Note
	return s.insertReplay(ctx, row, entry)
}

func (s *Store) insertReplay(ctx context.Context, row *replayRow, entry relay.AuditEntry) error {
	return s.writeAudited(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(row).Exec(ctx)
		return err
	})
}

// plan is a job while it is being planned.
type plan struct {
	*relay.ReplayJob
	row     *replayRow
	targets []relay.ReplayTarget
	own     bool // each delivery goes to its own endpoint
	tally   *replayTally
	kinds   []planKind
	kindOf  map[string]int
	kindKey []byte
}

// planKind is a kind of event that a plan came across.
type planKind struct {
	kindOfEvent
	takers   []relay.ID // in the order of their ids
	selected bool
}

// aside is the plan for another goroutine to count candidates with; takeBack
// adds what it counted.
func (p *plan) aside() *plan {
	return &plan{ReplayJob: p.ReplayJob, targets: p.targets, own: p.own, tally: newReplayTally(&p.Selection, p.targets), kindOf: map[string]int{}}
}

func (p *plan) takeBack(other *plan, found []candidate) {
	for why, n := range other.tally.reasons {
		p.tally.reasons[why] += n
	}
	kinds := make([]int, len(other.kinds))
	for i := range other.kinds {
		k := &other.kinds[i]
		kinds[i] = p.kindIndex(k.source[:], []byte(k.typ))
	}
	for i := range found {
		found[i].kind = kinds[found[i].kind]
	}
}

func (s *Store) planReplay(ctx context.Context, j *relay.ReplayJob, by relay.Actor) (*replayRow, error) {
	if err := j.Validate(); err != nil {
		return nil, err
	}
	if err := s.refreshConfig(ctx); err != nil {
		return nil, err
	}
	now := s.Now()
	j.ID, j.Status, j.CreatedAt, j.UpdatedAt, j.CreatedBy = relay.NewIDAt(now), relay.ReplayPlanned, now, now, by.Name
	j.AllMatching = len(j.EndpointIDs) == 0
	p := &plan{ReplayJob: j, own: j.AllMatching && j.Selection.OfDeliveries(), kindOf: map[string]int{}}
	var err error
	if p.targets, err = s.freezeTargets(j, p.own); err != nil {
		return nil, err
	}
	p.tally = newReplayTally(&j.Selection, p.targets)
	p.row = &replayRow{ID: j.ID, ProjectID: j.ProjectID, Status: string(j.Status), AllMatching: j.AllMatching, IgnoreFilter: j.IgnoreFilter,
		SkipDelivered: j.SkipDelivered, Backfill: j.Backfill, RateLimit: j.RateLimit, MaxEvents: j.MaxEvents, Canary: j.Canary,
		Brake: j.Brake, BrakeFrom: zeroID(), Note: clean(j.Note), CursorEvent: zeroID(), CursorEndpoint: zeroID(), WalkEnd: zeroID(),
		LowerID: idBound(now), UpperID: zeroID(), CreatedBy: clean(j.CreatedBy), CreatedAt: micros(now), UpdatedAt: micros(now)}
	if err := s.fillPlan(ctx, p, now); err != nil {
		s.dropItems(context.WithoutCancel(ctx), j.ID)
		return nil, err
	}
	p.finish(s.Config())
	return p.row, nil
}

func zeroID() []byte { return make([]byte, len(relay.ID{})) }

// fillPlan counts the selection and writes down what cannot be walked through
// later, because whether it belongs may change.
func (s *Store) fillPlan(ctx context.Context, p *plan, now time.Time) error {
	to := &itemSink{s: s, p: p}
	var err error
	switch f := &p.Selection; {
	case f.OfDeliveries():
		err = s.itemsOfDeliveries(ctx, p, to)
	case len(f.EventIDs) > 0:
		err = s.itemsOfIDs(ctx, p, to)
	case f.Status != "" || f.Q != "":
		err = s.itemsOfFilter(ctx, p, to)
	default:
		err = s.planWalk(ctx, p, to, now)
	}
	if e := to.wait(); err == nil {
		err = e
	}
	if err == nil {
		err = to.finish(ctx)
	}
	return err
}

// finish fills the plan in, and the row from it.
func (p *plan) finish(config *Snapshot) {
	p.Plan = p.tally.plan(config, p.SkipDelivered || p.Backfill, p.RateLimit)
	p.EndpointIDs = nil
	if p.own {
		p.targets = nil
		for _, d := range p.Plan.ByEndpoint {
			p.targets = append(p.targets, relay.ReplayTarget{EndpointID: d.EndpointID})
		}
	}
	for i := range p.targets {
		p.EndpointIDs = append(p.EndpointIDs, p.targets[i].EndpointID)
	}
	p.Progress.Total = p.Plan.Pairs
	if n := len(p.Selection.EventIDs) + len(p.Selection.DeliveryIDs); n > 0 {
		p.Selection.Named, p.Selection.EventIDs, p.Selection.DeliveryIDs = n, nil, nil
	}
	p.row.Total, p.row.Selection, p.row.Targets, p.row.Plan = p.Plan.Pairs, jsonText(p.Selection), jsonText(p.targets), jsonText(p.Plan)
}

// freezeTargets are the endpoints that a job may send to.
func (s *Store) freezeTargets(j *relay.ReplayJob, own bool) ([]relay.ReplayTarget, error) {
	config := s.Config()
	var faults []relay.FieldError
	if src := j.Selection.SourceID; !src.IsZero() {
		if found, ok := config.Source(src); !ok || found.ProjectID != j.ProjectID {
			faults = append(faults, relay.FieldError{Field: "source_id", Message: "is not a source of this project"})
		}
	}
	if e := j.Selection.DeliveryEndpointID; !e.IsZero() {
		if found, ok := config.Endpoint(e); !ok || found.ProjectID != j.ProjectID {
			faults = append(faults, relay.FieldError{Field: "delivery_endpoint_id", Message: "is not an endpoint of this project"})
		}
	}
	targets := []relay.ReplayTarget{}
	if len(j.EndpointIDs) == 0 {
		for _, e := range config.EndpointsOf(j.ProjectID) {
			if e.Status != relay.EndpointDisabled && !own {
				targets = append(targets, relay.TargetOf(e, false))
			}
		}
		return targets, relay.Invalid(faults...)
	}
	seen := map[relay.ID]bool{}
	for _, id := range j.EndpointIDs {
		if seen[id] {
			continue
		}
		seen[id] = true
		e, ok := config.Endpoint(id)
		var fault string
		switch src := j.Selection.SourceID; {
		case !ok || e.ProjectID != j.ProjectID:
			fault = "is not an endpoint of this project"
		case e.Status == relay.EndpointDisabled:
			fault = "is disabled"
		case !src.IsZero() && len(e.SourceIDs) > 0 && !slices.Contains(e.SourceIDs, src):
			fault = "does not take events from this source"
		}
		if fault != "" {
			faults = append(faults, relay.FieldError{Field: "endpoint_ids", Message: relay.PrefixEndpoint.Format(id) + " " + fault})
			continue
		}
		targets = append(targets, relay.TargetOf(e, j.IgnoreFilter))
	}
	return targets, relay.Invalid(faults...)
}

// idRange are the ids that a time range of events can have, and now's at most.
func idRange(f *relay.Selection, now time.Time) (lower, upper []byte) {
	const slack = 2 * time.Second
	lower, upper = zeroID(), idBound(now.Add(time.Millisecond))
	if !f.From.IsZero() {
		lower = idBound(f.From.Add(-slack))
	}
	if !f.To.IsZero() {
		upper = least(upper, idBound(f.To.Add(slack)))
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

// planWalk freezes a selection over facts that never change as a range of
// ids. What came in just now is written down pair by pair, since more with
// such ids may yet be committed.
func (s *Store) planWalk(ctx context.Context, p *plan, to *itemSink, now time.Time) error {
	lower, upper := idRange(&p.Selection, now)
	end := maxBytes(least(upper, s.settledID()), lower)
	if p.Backfill {
		end = upper
	}
	settled := end
	if err := s.countWalk(ctx, p, lower, end); err != nil {
		return err
	}
	if p.MaxEvents > 0 && p.tally.events > p.MaxEvents {
		counted := p.tally.events
		cut, err := s.cutWalk(ctx, p, lower, end)
		if err != nil {
			return err
		}
		p.tally = newReplayTally(&p.Selection, p.targets)
		if err := s.countWalk(ctx, p, lower, cut); err != nil {
			return err
		}
		p.tally.leftOut = counted - p.tally.events
		end = cut
	}
	p.row.LowerID, p.row.UpperID, p.row.WalkEnd, p.row.CursorEvent = lower, upper, end, slices.Clone(lower)
	return s.itemsOfRange(ctx, p, to, settled, upper)
}

func maxBytes(a, b []byte) []byte {
	if bytes.Compare(a, b) > 0 {
		return a
	}
	return b
}

// PlanFailed plans a job for what failed in another one: its dead letters that
// were not replayed since, each to its own endpoint.
func (s *Store) PlanFailed(ctx context.Context, project, id relay.ID, by relay.Actor) (relay.ReplayJob, error) {
	old, err := s.Replay(ctx, project, id)
	if err != nil {
		return relay.ReplayJob{}, err
	}
	j := relay.ReplayJob{ProjectID: project, RateLimit: old.RateLimit, Brake: old.Brake,
		Selection: relay.Selection{ReplayID: id, DeliveryStatus: relay.DeliveryDLQ, NewestOnly: true}}
	err = s.PlanReplay(ctx, &j, by)
	return j, err
}

// backfillLead is for how long other processes may not know yet of a new
// endpoint: events that come in meanwhile belong to its backfill.
const backfillLead = 10 * time.Second

// PlanBackfill makes and starts a job that sends an endpoint the events of the
// last days that it wants. It meets the live stream: no event is left out
// between them and none comes twice, for what already has a delivery to the
// endpoint is skipped.
func (s *Store) PlanBackfill(ctx context.Context, project, endpoint relay.ID, days, rate int, by relay.Actor) (relay.ReplayJob, error) {
	if days < 1 || days > 365 {
		return relay.ReplayJob{}, relay.Invalid(relay.FieldError{Field: "backfill_days", Message: "must be a whole number from 1 to 365"})
	}
	now := s.Now()
	j := relay.ReplayJob{ProjectID: project, EndpointIDs: []relay.ID{endpoint}, RateLimit: rate, Backfill: true, Brake: relay.DefaultReplayBrake,
		Note: "Backfill of a new endpoint", Selection: relay.Selection{From: now.AddDate(0, 0, -days), To: now.Add(backfillLead)}}
	row, err := s.planReplay(ctx, &j, by)
	if err != nil {
		return relay.ReplayJob{}, err
	}
	row.WalkEnd = idBound(j.Selection.To.Add(time.Millisecond))
	row.UpperID, row.StartedAt, row.Status = row.WalkEnd, micros(now), string(relay.ReplayRunning)
	entry := replayEntry(project, j.ID, "started", by)
	entry.Data["backfill_days"], entry.Data["endpoint_id"] = days, relay.PrefixEndpoint.Format(endpoint)
	if err := s.insertReplay(ctx, row, entry); err != nil {
		return relay.ReplayJob{}, err
	}
	s.tellReplay(j.ID)
	return s.Replay(ctx, project, j.ID)
}
