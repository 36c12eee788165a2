package replays

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// PlanAtOnce is Options.PlanAtOnce where nothing else is said.
const PlanAtOnce = 2 * time.Second

// PlanSizes are how much of a plan is handled at a time.
type PlanSizes struct {
	Read  int // events or deliveries that are read
	Count int // events that are counted
	Sort  int // deliveries that are put in the order of their events
}

// DefaultPlanSizes suit a database of millions of events.
var DefaultPlanSizes = PlanSizes{Read: 5000, Count: 32_000, Sort: 100_000}

// PlanReplay makes a job: it freezes what the job selects and counts it. The job
// comes in with its project, its selection and its choices, and gets everything
// else. When it comes back it is planned, or runs if it Starts; where that takes
// long it is still being planned, and ContinuePlan goes on.
func (s *Store) PlanReplay(ctx context.Context, j *relay.ReplayJob, by relay.Actor) error {
	if err := s.newPlan(ctx, j, by); err != nil {
		return err
	}
	end, planned := time.Now().Add(s.PlanAtOnce), false
	if s.PlanAtOnce > 0 {
		var err error
		if planned, err = s.ContinuePlan(ctx, j.ID, func() bool { return !time.Now().Before(end) }); err != nil { // the job is there, and its planning goes on
			s.Log.Warn("planning a replay job; it goes on", "replay_id", relay.PrefixReplay.Format(j.ID), "error", err)
		}
	}
	if !planned || j.Starts {
		s.tellReplay(j.ID)
	}
	made, err := s.Replay(context.WithoutCancel(ctx), j.ProjectID, j.ID)
	if err == nil {
		*j = made
	}
	return err
}

// newPlan stores a job that is to be planned.
func (s *Store) newPlan(ctx context.Context, j *relay.ReplayJob, by relay.Actor) error {
	if err := j.Validate(); err != nil {
		return err
	}
	if err := s.RefreshConfig(ctx); err != nil {
		return err
	}
	now := s.Now()
	j.ID, j.AllMatching = relay.NewIDAt(now), len(j.EndpointIDs) == 0
	targets, err := s.freezeTargets(j, ownEndpoints(j))
	if err != nil {
		return err
	}
	if err := s.namedExist(ctx, j); err != nil {
		return err
	}
	row := &ReplayRow{ID: j.ID, ProjectID: j.ProjectID, Status: string(relay.ReplayPlanning), AllMatching: j.AllMatching, IgnoreFilter: j.IgnoreFilter,
		SkipDelivered: j.SkipDelivered, Backfill: j.Backfill, RateLimit: j.RateLimit, MaxEvents: j.MaxEvents, Canary: j.Canary,
		Brake: j.Brake, BrakeFrom: sqldb.ZeroID(), Note: sqldb.Clean(j.Note), CursorEvent: sqldb.ZeroID(), CursorEndpoint: sqldb.ZeroID(), WalkEnd: sqldb.ZeroID(),
		LowerID: sqldb.ZeroID(), UpperID: sqldb.IDBound(now), CreatedBy: sqldb.Clean(by.Name), CreatedAt: sqldb.Micros(now), UpdatedAt: sqldb.Micros(now),
		Selection: sqldb.JSONText(j.Selection), Targets: sqldb.JSONText(targets), Plan: sqldb.JSONText(relay.ReplayPlan{}),
		Planning: sqldb.JSONText(s.beginPlan(j, by, now))}
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := s.checkReplays(ctx, tx, j.ProjectID, relay.ReplayPlanning, relay.MaxReplaysPlanning); err != nil {
			return err
		}
		if j.Starts {
			if err := s.checkReplays(ctx, tx, j.ProjectID, relay.ReplayRunning, relay.MaxReplaysRunning); err != nil {
				return err
			}
		}
		_, err := tx.NewInsert().Model(row).Exec(ctx)
		return err
	})
}

// checkReplays refuses one more job of a status than a project may have.
func (s *Store) checkReplays(ctx context.Context, tx bun.Tx, project relay.ID, status relay.ReplayStatus, most int64) error {
	n, err := tx.NewSelect().Table("replays").Where("project_id = ? AND status = ?", project, string(status)).Count(ctx)
	if err != nil || n < most {
		return err
	}
	what := map[relay.ReplayStatus]string{relay.ReplayPlanning: "being planned", relay.ReplayRunning: "running"}[status]
	return &relay.Error{Kind: relay.KindConflict,
		Detail: fmt.Sprintf("%d replay jobs of this project are %s, which is the most; wait until one is through, or cancel one.", n, what)}
}

// PlanFailed makes a job of what failed in another one: its dead letters that
// were not replayed since, each to its own endpoint.
func (s *Store) PlanFailed(ctx context.Context, project, id relay.ID, start bool, by relay.Actor) (relay.ReplayJob, error) {
	old, err := s.Replay(ctx, project, id)
	if err != nil {
		return relay.ReplayJob{}, err
	}
	j := relay.ReplayJob{ProjectID: project, RateLimit: old.RateLimit, Brake: old.Brake, Starts: start,
		Selection: relay.Selection{ReplayID: id, DeliveryStatus: relay.DeliveryDLQ, NewestOnly: true}}
	err = s.PlanReplay(ctx, &j, by)
	return j, err
}

// BackfillLead is for how long other processes may not know yet of a new
// endpoint: events that come in meanwhile belong to its backfill.
const BackfillLead = 10 * time.Second

// PlanBackfill makes and starts a job that sends an endpoint the events of the
// last days that it wants. It meets the live stream: no event is left out
// between them and none comes twice, for what already has a delivery to the
// endpoint is skipped.
func (s *Store) PlanBackfill(ctx context.Context, project, endpoint relay.ID, days, rate int, by relay.Actor) (relay.ReplayJob, error) {
	if days < 1 || days > 365 {
		return relay.ReplayJob{}, relay.Invalid(relay.FieldError{Field: "backfill_days", Message: "must be a whole number from 1 to 365"})
	}
	now := s.Now()
	j := relay.ReplayJob{ProjectID: project, EndpointIDs: []relay.ID{endpoint}, RateLimit: rate, Backfill: true, Brake: relay.DefaultReplayBrake, Starts: true,
		Note: "Backfill of a new endpoint", Selection: relay.Selection{From: now.AddDate(0, 0, -days), To: now.Add(BackfillLead)}}
	err := s.PlanReplay(ctx, &j, by)
	return j, err
}
