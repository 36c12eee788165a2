package upkeep

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/replays"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// RetentionOptions say what is kept for how long.
type RetentionOptions struct {
	AuditDays int // 0: 365
	// All removes whatever is old at once, and believes the clock: somebody said so.
	All bool
	// Enough is asked between batches whether to leave the rest for later; nil: never.
	Enough func() bool
}

func (o *RetentionOptions) enough() bool { return o.Enough != nil && o.Enough() }

// RetentionRun is how far a run of retention has come.
type RetentionRun struct {
	Report RetentionReport
	Begun  bool
	Listed bool            // all sources are done
	Source *RetainedSource // the one that is under way, or the last one
	From   relay.ID        // the event of it where the run goes on
	Most   int             // how many of its events may be removed; 0: not known yet
}

// RetentionReport is what retention removed, or would.
type RetentionReport struct {
	Left         bool // there is more that is old; the next run goes on
	Sources      []RetainedSource
	Replays      int // finished jobs
	Plans        int // plans that nobody started, which are cancelled
	AuditEntries int
}

// RetainedSource is what a source loses.
type RetainedSource struct {
	SourceID   relay.ID
	ProjectID  relay.ID
	Name       string // empty: the source was deleted
	Before     time.Time
	Events     int
	Deliveries int
}

const (
	// RetentionRows is how many events are removed in one transaction.
	RetentionRows     = 200
	defaultRetention  = 30 // days, of sources that were deleted
	defaultAuditDays  = 365
	replaysKept       = 30 * 24 * time.Hour
	plansKept         = 7 * 24 * time.Hour
	unfinishedPlanAge = 24 * time.Hour
)

// RetentionPreview tells what RunRetention would remove now.
func (s *Store) RetentionPreview(ctx context.Context, o RetentionOptions) (RetentionReport, error) {
	return s.retain(ctx, o, true)
}

// RunRetention removes what is older than its source keeps it, in small
// batches. It never removes an event of which a delivery is not final, nor one
// inside the selection of a job that is not over.
func (s *Store) RunRetention(ctx context.Context, o RetentionOptions) (RetentionReport, error) {
	return s.retain(ctx, o, false)
}

func (s *Store) retain(ctx context.Context, o RetentionOptions, preview bool) (RetentionReport, error) {
	var run RetentionRun
	o.Enough = nil
	_, err := s.continueRetention(ctx, o, &run, preview)
	return run.Report, err
}

// ContinueRetention goes on with a run until there is enough, and reports
// whether it is done.
func (s *Store) ContinueRetention(ctx context.Context, o RetentionOptions, run *RetentionRun) (done bool, err error) {
	return s.continueRetention(ctx, o, run, false)
}

func (s *Store) continueRetention(ctx context.Context, o RetentionOptions, run *RetentionRun, preview bool) (done bool, err error) {
	if err := s.RefreshConfig(ctx); err != nil {
		return false, err
	}
	if !run.Begun {
		if !o.All {
			if err := s.checkClocks(ctx); err != nil {
				return false, err
			}
		}
		if run.Report.Plans, err = s.expirePlans(ctx, preview); err != nil {
			return false, err
		}
		run.Begun = true
	}
	for !run.Listed {
		if done, err := s.retainSource(ctx, o, run, preview); err != nil || !done {
			return false, err
		}
		if err := s.nextSource(ctx, run); err != nil {
			return false, err
		}
	}
	n, err := s.retainReplays(ctx, preview)
	run.Report.Replays += n
	if err != nil || o.enough() {
		return false, err
	}
	n, left, err := s.retainAudit(ctx, o, preview)
	run.Report.AuditEntries += n
	return err == nil && !left, err
}

// nextSource goes from a source to the next one that has events, those of deleted
// sources included, and notes what the last one lost.
func (s *Store) nextSource(ctx context.Context, run *RetentionRun) error {
	project, source := sqldb.ZeroID(), sqldb.ZeroID()
	if last := run.Source; last != nil {
		if last.Events > 0 {
			run.Report.Sources = append(run.Report.Sources, *last)
		}
		project, source = last.ProjectID[:], last.SourceID[:]
	}
	var next []RetainedSource
	err := s.R.NewSelect().TableExpr(s.Using("events", "events_source")).Column("project_id", "source_id").
		Where("(project_id, source_id) > (?, ?)", project, source).OrderExpr("project_id, source_id").Limit(1).Scan(ctx, &next)
	if err != nil {
		return sqldb.Translate(err)
	}
	run.Source, run.From, run.Most, run.Listed = nil, relay.ID{}, 0, len(next) == 0
	if run.Listed {
		return nil
	}
	r, days := next[0], defaultRetention
	if src, ok := s.Config().Source(r.SourceID); ok {
		r.Name, days = src.Name, src.RetentionDays
	}
	r.Before = s.Now().AddDate(0, 0, -days)
	run.Source = &r
	return nil
}

// pausedKept is for how long what a paused job has not sent yet is kept for it.
const pausedKept = 30 * 24 * time.Hour

// keptSpans are the ranges of ids that jobs which are not over may still read.
func (s *Store) keptSpans(ctx context.Context, idb bun.IDB, project relay.ID) ([]sqldb.IDSpan, error) {
	var rows []replays.ReplayRow
	err := idb.NewSelect().Model(&rows).ModelTableExpr(s.Using("replays", "replays_open")).Column("lower_id", "upper_id", "cursor_event", "cursor_part", "drained").
		Where("(finished_at IS NULL OR settling) AND finished_at IS NULL AND project_id = ?", project).
		Where("status <> 'paused' OR updated_at > ?", sqldb.Micros(s.Now().Add(-pausedKept))).Scan(ctx)
	spans := make([]sqldb.IDSpan, 0, len(rows))
	for _, r := range rows {
		switch {
		case r.Drained:
		case r.CursorPart > 1: // parts need not be in the order of their events
			spans = append(spans, sqldb.IDSpan{From: r.LowerID, Before: r.UpperID})
		default:
			spans = append(spans, sqldb.IDSpan{From: sqldb.MaxBytes(r.LowerID, r.CursorEvent), Before: r.UpperID})
		}
	}
	return spans, sqldb.Translate(err)
}

// retainSource removes what is old of the source under way, up to what one run
// may, and reports whether that is done.
func (s *Store) retainSource(ctx context.Context, o RetentionOptions, run *RetentionRun, preview bool) (done bool, err error) {
	src := run.Source
	if src == nil { // the run begins
		return true, nil
	}
	for {
		if !o.All && src.Events >= max(run.Most, relay.MostRemoved(0)) {
			if run.Most == 0 {
				there := s.R.NewSelect().TableExpr(s.Using("events", "events_source")).Where("project_id = ? AND source_id = ?", src.ProjectID, src.SourceID)
				n, err := there.Count(ctx)
				if err != nil {
					return false, sqldb.Translate(err)
				}
				if !preview {
					n += int64(src.Events)
				}
				run.Most = relay.MostRemoved(int(n))
			}
			if src.Events >= run.Most {
				run.Report.Left = true
				return true, nil
			}
		}
		var ids []relay.ID
		q := s.R.NewSelect().TableExpr(s.Using("events", "events_source")).Column("id").
			Where("project_id = ? AND source_id = ? AND id >= ? AND id < ?", src.ProjectID, src.SourceID, run.From[:], sqldb.IDBound(src.Before)).
			OrderExpr("id").Limit(RetentionRows)
		if err := q.Scan(ctx, &ids); err != nil || len(ids) == 0 {
			return err == nil, sqldb.Translate(err)
		}
		if err := s.retainBatch(ctx, src, ids, preview); err != nil {
			return false, err
		}
		run.From = relay.ID(sqldb.NextID(ids[len(ids)-1]))
		if len(ids) < RetentionRows {
			return true, nil
		}
		if o.enough() {
			return false, nil
		}
	}
}

// retainBatch removes those of some old events that nothing needs.
func (s *Store) retainBatch(ctx context.Context, src *RetainedSource, ids []relay.ID, preview bool) error {
	if preview {
		return s.retainSome(ctx, s.R, src, ids, true)
	}
	counted := *src
	return s.Later(ctx, func(ctx context.Context, tx bun.Tx) error {
		*src = counted
		if s.PG { // against replays of these events
			_, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended(h, 1)) FROM (SELECT encode(id, 'hex') AS h
				FROM events WHERE project_id = ? AND id IN (?) ORDER BY id) AS x`, src.ProjectID, bun.List(ids))
			if err != nil {
				return err
			}
		}
		return s.retainSome(ctx, tx, src, ids, false)
	})
}

func (s *Store) retainSome(ctx context.Context, idb bun.IDB, src *RetainedSource, ids []relay.ID, preview bool) error {
	spans, err := s.keptSpans(ctx, idb, src.ProjectID)
	if err != nil {
		return err
	}
	var deliveries []struct {
		ID, EventID relay.ID
		Status      string
	}
	err = idb.NewSelect().TableExpr(s.Using("deliveries", "deliveries_event")).Column("id", "event_id", "status").
		Where("event_id IN (?)", bun.List(ids)).Scan(ctx, &deliveries)
	if err != nil {
		return sqldb.Translate(err)
	}
	needed := map[relay.ID]bool{}
	for _, d := range deliveries {
		if !relay.DeliveryStatus(d.Status).Final() {
			needed[d.EventID] = true
		}
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id relay.ID) bool {
		return needed[id] || slices.ContainsFunc(spans, func(p sqldb.IDSpan) bool {
			return bytes.Compare(id[:], p.From) >= 0 && bytes.Compare(id[:], p.Before) < 0
		})
	})
	if len(ids) == 0 {
		return nil
	}
	var gone []relay.ID
	for _, d := range deliveries {
		if slices.Contains(ids, d.EventID) {
			gone = append(gone, d.ID)
		}
	}
	src.Events += len(ids)
	src.Deliveries += len(gone)
	if preview {
		return nil
	}
	if len(gone) > 0 {
		if _, err := idb.NewDelete().Table("attempts").Where("delivery_id IN (?)", bun.List(gone)).Exec(ctx); err != nil {
			return err
		}
		if _, err := idb.NewDelete().Table("deliveries").Where("project_id = ? AND id IN (?)", src.ProjectID, bun.List(gone)).Exec(ctx); err != nil {
			return err
		}
	}
	if _, err := idb.NewDelete().Table("payloads").Where("event_id IN (?)", bun.List(ids)).Exec(ctx); err != nil {
		return err
	}
	_, err = idb.NewDelete().Table("events").Where("project_id = ? AND id IN (?)", src.ProjectID, bun.List(ids)).Exec(ctx)
	return err
}
