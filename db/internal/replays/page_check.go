package replays

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// RunningReplay is a job that the runner has to look after.
type RunningReplay struct {
	ID        relay.ID
	ProjectID relay.ID
	Planning  bool
	Running   bool
	Settling  bool
	RateLimit int
}

// planIdle is after how long without a word of it a plan counts as left behind:
// whoever asks for one begins with it.
const planIdle = 3 * time.Second

// RunningReplays are the jobs of all projects that run, have to settle, or are to
// be planned by whoever asks.
func (s *Store) RunningReplays(ctx context.Context) ([]RunningReplay, error) {
	return s.runningReplays(ctx, "(status <> 'planning' OR updated_at < ?)", sqldb.Micros(s.Now().Add(-planIdle)))
}

// RunningReplay is one job; one that neither is planned, runs, nor has to settle is
// zero.
func (s *Store) RunningReplay(ctx context.Context, id relay.ID) (RunningReplay, error) {
	found, err := s.runningReplays(ctx, "id = ?", id)
	if err != nil || len(found) == 0 {
		return RunningReplay{}, err
	}
	return found[0], nil
}

func (s *Store) runningReplays(ctx context.Context, which string, args ...any) ([]RunningReplay, error) {
	var rows []ReplayRow
	err := s.R.NewSelect().Model(&rows).ModelTableExpr(s.Using("replays", "replays_open")).Column("id", "project_id", "status", "settling", "rate_limit").
		Where("(finished_at IS NULL OR settling) AND (status IN ('planning', 'running') OR settling)").Where(which, args...).OrderExpr("id").Scan(ctx)
	if err != nil {
		return nil, sqldb.Translate(err)
	}
	out := make([]RunningReplay, len(rows))
	for i, r := range rows {
		status := relay.ReplayStatus(r.Status)
		out[i] = RunningReplay{r.ID, r.ProjectID, status == relay.ReplayPlanning, status == relay.ReplayRunning, r.Settling, r.RateLimit}
	}
	return out, nil
}

// ReplayTargets are the endpoints that a job sends to.
func (s *Store) ReplayTargets(ctx context.Context, id relay.ID) ([]relay.ID, error) {
	var row ReplayRow
	if err := s.R.NewSelect().Model(&row).Column("targets").Where("id = ?", id).Scan(ctx); err != nil {
		return nil, sqldb.Translate(err)
	}
	targets, err := row.targets()
	ids := make([]relay.ID, len(targets))
	for i := range targets {
		ids[i] = targets[i].EndpointID
	}
	return ids, err
}

// ReplayWaiting is how many deliveries of a job to some endpoints were made and not
// attempted, counted up to most. Those to a paused endpoint do not count: they may
// wait for long, and be very many.
func (s *Store) ReplayWaiting(ctx context.Context, id relay.ID, endpoints []relay.ID, most int) (int, error) {
	config := s.Config()
	going := slices.DeleteFunc(slices.Clone(endpoints), func(id relay.ID) bool {
		e, ok := config.Endpoint(id)
		return ok && e.Status == relay.EndpointPaused
	})
	if len(going) == 0 || most <= 0 {
		return 0, nil
	}
	return s.CountOf(ctx, s.R.NewSelect().TableExpr(s.Using("deliveries", "deliveries_replay_status")).ColumnExpr("1").
		Where("replay_id = ? AND status = 'pending' AND endpoint_id IN (?)", id, bun.List(going)).Limit(int64(most)))
}

// brakeSample is how many deliveries the brake looks at.
const brakeSample = 50

var runner = relay.Actor{Kind: relay.ActorSystem, Name: "replay"}

// CheckReplay ends a running job that is through, and pauses one whose canary
// is out or whose deliveries fail too often. It reports what the job is now.
func (s *Store) CheckReplay(ctx context.Context, id relay.ID) (relay.ReplayStatus, error) {
	var row ReplayRow
	if err := s.R.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx); err != nil {
		return "", sqldb.Translate(err)
	}
	if relay.ReplayStatus(row.Status) != relay.ReplayRunning {
		return relay.ReplayStatus(row.Status), nil
	}
	next, reason, err := s.judgeReplay(ctx, &row)
	if err != nil || next == relay.ReplayRunning {
		return next, sqldb.Translate(err)
	}
	action := map[relay.ReplayStatus]string{relay.ReplayPaused: "paused", relay.ReplayCompleted: "completed", relay.ReplayFailed: "failed"}[next]
	entry := replayEntry(row.ProjectID, id, action, runner)
	if reason != "" {
		entry.Data["reason"] = reason
	}
	err = s.WriteAudited(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		now, err := s.lockReplay(ctx, tx, id)
		if err != nil {
			return err
		}
		if now.Page != row.Page || now.Status != row.Status {
			return &relay.Error{Kind: relay.KindConflict, Detail: "The job went on."}
		}
		now.Status, now.Reason, now.UpdatedAt = string(next), reason, sqldb.Micros(s.Now())
		if next.Final() {
			now.FinishedAt = now.UpdatedAt
		}
		// Those of a canary are let go on: their outcome is what it is for.
		now.Settling = strings.HasPrefix(reason, relay.ReasonBrake)
		return saveReplay(ctx, tx, &now)
	})
	if relay.KindOf(err) == relay.KindConflict {
		return relay.ReplayRunning, nil
	}
	return next, err
}

func (s *Store) judgeReplay(ctx context.Context, row *ReplayRow) (relay.ReplayStatus, string, error) {
	if row.Brake > 0 {
		failed, seen, err := s.FirstFailures(ctx, row)
		if err != nil {
			return relay.ReplayRunning, "", err
		}
		if failed*100 > row.Brake*brakeSample {
			return relay.ReplayPaused, fmt.Sprintf("%s: %d of the last %d deliveries failed.", relay.ReasonBrake, failed, seen), nil
		}
	}
	open := func(status string) (bool, error) {
		return s.R.NewSelect().TableExpr(s.Using("deliveries", "deliveries_replay_status")).
			Where("replay_id = ? AND status = ?", row.ID, status).Exists(ctx)
	}
	waits, err := open("pending")
	if err != nil || waits {
		return relay.ReplayRunning, "", err
	}
	if row.Canary > 0 && !row.CanaryPassed && row.Made >= row.Canary && !row.Drained {
		return relay.ReplayPaused, fmt.Sprintf("%s: the first %d are sent; look at them, then resume or cancel.", relay.ReasonCanary, row.Made), nil
	}
	if !row.Drained {
		return relay.ReplayRunning, "", nil
	}
	if waits, err = open("retrying"); err != nil || waits {
		return relay.ReplayRunning, "", err
	}
	if seen := row.Made + row.SkippedDelivered + row.SkippedGone; seen != row.Total && !row.Backfill {
		return relay.ReplayFailed, fmt.Sprintf("The plan had %d deliveries, but only %d were found when their turn came.", row.Total, seen), nil
	}
	return relay.ReplayCompleted, "", nil
}

// FirstFailures counts, of the newest deliveries of a job that were attempted,
// those whose first attempt failed.
func (s *Store) FirstFailures(ctx context.Context, row *ReplayRow) (failed, seen int, err error) {
	var firsts []string
	// Some may have been interrupted, which says nothing.
	newest := s.R.NewSelect().TableExpr(s.Using("deliveries", "deliveries_replay_list")).ColumnExpr("id").
		Where("replay_id = ? AND project_id = ? AND id > ? AND attempts > 0", row.ID, row.ProjectID, row.BrakeFrom).OrderExpr("id DESC").
		Limit(2 * brakeSample)
	err = s.R.NewSelect().TableExpr("(?) AS d", newest).
		ColumnExpr("coalesce((SELECT outcome FROM attempts a WHERE a.delivery_id = d.id ORDER BY a.id LIMIT 1), '') AS first").
		OrderExpr("d.id DESC").Scan(ctx, &firsts)
	for _, first := range firsts {
		if first == "" || first == string(relay.OutcomeInterrupted) {
			continue
		}
		seen++
		if first != string(relay.OutcomeSuccess) {
			failed++
		}
		if seen == brakeSample {
			break
		}
	}
	return failed, seen, err
}
