package replays

import (
	"bytes"
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// ReplayRow is a replay job as it is stored.
type ReplayRow struct {
	bun.BaseModel    `bun:"table:replays,alias:replays"`
	ID               relay.ID `bun:",pk"`
	ProjectID        relay.ID
	Status           string
	Reason           string
	Selection        string
	Targets          string
	Plan             string
	AllMatching      bool
	IgnoreFilter     bool
	SkipDelivered    bool
	Backfill         bool
	RateLimit        int
	MaxEvents        int
	Canary           int
	CanaryPassed     bool
	Brake            int
	BrakeFrom        []byte // only deliveries with greater ids make the job brake
	Note             string
	LowerID          []byte // no event of the selection is older
	UpperID          []byte // exclusive
	WalkEnd          []byte // exclusive; before it events are walked through, after it replay_pairs name them
	CursorEvent      []byte // the pair that was handled last
	CursorEndpoint   []byte
	CursorPart       int64  // of replay_pairs
	Planning         string `bun:",nullzero"` // where planning stands, see planState
	Page             int64
	Total            int
	Made             int
	SkippedDelivered int
	SkippedGone      int
	Drained          bool // every pair was handled
	Settling         bool // deliveries still have to be parked, woken or discarded
	CreatedBy        string
	CreatedAt        int64
	StartedAt        int64 `bun:",nullzero"`
	FinishedAt       int64 `bun:",nullzero"`
	UpdatedAt        int64
}

func (r *ReplayRow) open() (relay.ReplayJob, error) {
	j := relay.ReplayJob{ID: r.ID, ProjectID: r.ProjectID, Status: relay.ReplayStatus(r.Status), Reason: r.Reason,
		AllMatching: r.AllMatching, IgnoreFilter: r.IgnoreFilter, SkipDelivered: r.SkipDelivered, Backfill: r.Backfill,
		RateLimit: r.RateLimit, MaxEvents: r.MaxEvents, Canary: r.Canary, Brake: r.Brake, Note: r.Note, CreatedBy: r.CreatedBy,
		CreatedAt: sqldb.FromMicros(r.CreatedAt), StartedAt: sqldb.FromMicros(r.StartedAt), FinishedAt: sqldb.FromMicros(r.FinishedAt), UpdatedAt: sqldb.FromMicros(r.UpdatedAt)}
	var err error
	if j.Selection, err = sqldb.FromJSON[relay.Selection](r.Selection); err != nil {
		return j, err
	}
	if j.Plan, err = sqldb.FromJSON[relay.ReplayPlan](r.Plan); err != nil {
		return j, err
	}
	targets, err := r.targets()
	for i := range targets {
		j.EndpointIDs = append(j.EndpointIDs, targets[i].EndpointID)
	}
	return j, err
}

func (r *ReplayRow) targets() ([]relay.ReplayTarget, error) {
	return sqldb.FromJSON[[]relay.ReplayTarget](r.Targets)
}

// Replay finds a replay job of a project, with its progress.
func (s *Store) Replay(ctx context.Context, project, id relay.ID) (relay.ReplayJob, error) {
	var row ReplayRow
	if err := s.R.NewSelect().Model(&row).Where("project_id = ? AND id = ?", project, id).Scan(ctx); err != nil {
		return relay.ReplayJob{}, sqldb.Translate(err)
	}
	jobs, err := s.openReplays(ctx, []ReplayRow{row})
	if err != nil {
		return relay.ReplayJob{}, err
	}
	return jobs[0], nil
}

// ReplayFilter narrows a list of replay jobs. Zero values do not.
type ReplayFilter struct {
	Status relay.ReplayStatus
}

// Replays lists a project's replay jobs with their progress, newest first.
func (s *Store) Replays(ctx context.Context, project relay.ID, f ReplayFilter, p sqldb.Page) (sqldb.Slice[relay.ReplayJob], error) {
	var rows []ReplayRow
	scope := "replays/" + project.Hex() + sqldb.JSONText(f)
	q := s.R.NewSelect().Model(&rows).Where("project_id = ?", project)
	if f.Status != "" {
		q = q.Where("status = ?", sqldb.Clean(string(f.Status)))
	}
	q, err := s.After(q, p, scope)
	if err != nil {
		return sqldb.Slice[relay.ReplayJob]{}, err
	}
	if err := q.Scan(ctx); err != nil {
		return sqldb.Slice[relay.ReplayJob]{}, sqldb.Translate(err)
	}
	jobs, err := s.openReplays(ctx, rows)
	if err != nil {
		return sqldb.Slice[relay.ReplayJob]{}, err
	}
	return sqldb.SliceOf(s.DB, jobs, p, scope, func(j relay.ReplayJob) relay.ID { return j.ID }), nil
}

// openReplays adds the progress to jobs.
func (s *Store) openReplays(ctx context.Context, rows []ReplayRow) ([]relay.ReplayJob, error) {
	ids := make([]relay.ID, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	counts, err := s.ReplayCounts(ctx, ids)
	if err != nil {
		return nil, err
	}
	jobs := make([]relay.ReplayJob, len(rows))
	for i := range rows {
		if jobs[i], err = s.openReplay(ctx, &rows[i], counts); err != nil {
			return nil, err
		}
	}
	return jobs, nil
}

func (s *Store) openReplay(ctx context.Context, row *ReplayRow, counts map[engine.ReplayStatus]int) (relay.ReplayJob, error) {
	j, err := row.open()
	if err != nil {
		return j, err
	}
	if j.Status == relay.ReplayPlanning { // what is counted so far
		p, err := openPlan(row)
		if err != nil {
			return j, err
		}
		j.Starts, j.Plan = p.Starts, p.counted(s.Config())
		countNamed(&j.Selection)
	}
	j.Progress, err = s.replayProgress(ctx, row, counts)
	return j, err
}

// rateWindow is what "just now" means for the rate of a job.
const rateWindow = 5 * time.Second

func (s *Store) replayProgress(ctx context.Context, row *ReplayRow, counts map[engine.ReplayStatus]int) (relay.ReplayProgress, error) {
	p := relay.ReplayProgress{Total: row.Total, Made: row.Made, Delivered: row.SkippedDelivered, Gone: row.SkippedGone,
		Skipped: row.SkippedDelivered + row.SkippedGone}
	p.Processed = p.Skipped
	if row.StartedAt == 0 {
		return p, nil
	}
	of := func(status relay.DeliveryStatus) int {
		return counts[engine.ReplayStatus{Replay: row.ID, Status: status}]
	}
	p.Retrying, p.Succeeded, p.Failed, p.Discarded = of(relay.DeliveryRetrying), of(relay.DeliveryDelivered), of(relay.DeliveryDLQ), of(relay.DeliveryDiscarded)
	p.Waiting = max(p.Made-p.Retrying-p.Succeeded-p.Failed-p.Discarded, 0)
	p.Processed += p.Succeeded + p.Failed + p.Discarded
	if row.Backfill { // live events that joined it were not in its plan
		p.Total = max(p.Total, p.Made+p.Skipped)
	}
	if relay.ReplayStatus(row.Status) != relay.ReplayRunning {
		return p, nil
	}
	now := s.Now()
	some := s.R.NewSelect().TableExpr(s.Using("deliveries", "deliveries_replay_list")).ColumnExpr("1").
		Where("replay_id = ? AND project_id = ? AND id >= ?", row.ID, row.ProjectID, sqldb.IDBound(now.Add(-rateWindow)))
	n, err := s.CountOf(ctx, some)
	if err != nil {
		return p, err
	}
	p.Rate = float64(n) / rateWindow.Seconds()
	if left := max(p.Total-p.Made-p.Skipped, 0); left > 0 {
		pace := float64(row.RateLimit)
		if p.Rate > 0 && now.Sub(sqldb.FromMicros(row.StartedAt)) > rateWindow {
			pace = p.Rate
		}
		p.Left = time.Duration(float64(left) / pace * float64(time.Second))
	}
	if row.Backfill && bytes.Compare(row.CursorEvent, row.WalkEnd) < 0 { // the newest events are taken when they have settled
		p.Left = max(p.Left, relay.ID(row.WalkEnd).Time().Add(SettleTime).Sub(now))
	}
	return p, nil
}
