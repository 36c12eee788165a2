package db

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// RetentionOptions say what is kept for how long.
type RetentionOptions struct {
	AuditDays int // 0: 365
	// All removes whatever is old at once, and believes the clock: somebody said so.
	All bool
	// Renew is asked between batches whether to go on; nil: always.
	Renew func(context.Context) (bool, error)
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
	retentionRows     = 200
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
	var out RetentionReport
	if err := s.refreshConfig(ctx); err != nil {
		return out, err
	}
	if !o.All {
		if err := s.checkClocks(ctx); err != nil {
			return out, err
		}
	}
	var err error
	if out.Plans, err = s.expirePlans(ctx, preview); err != nil {
		return out, err
	}
	sources, err := s.sourcesWithEvents(ctx)
	if err != nil {
		return out, err
	}
	for _, src := range sources {
		left, err := s.retainSource(ctx, o, &src, preview)
		if err != nil {
			return out, err
		}
		out.Left = out.Left || left
		if src.Events > 0 {
			out.Sources = append(out.Sources, src)
		}
	}
	if out.Replays, err = s.retainReplays(ctx, preview); err != nil {
		return out, err
	}
	out.AuditEntries, err = s.retainAudit(ctx, o, preview)
	return out, err
}

// sourcesWithEvents hops over an index from one source to the next, those of
// deleted ones included.
func (s *Store) sourcesWithEvents(ctx context.Context) ([]RetainedSource, error) {
	var out []RetainedSource
	config := s.Config()
	for project, source := zeroID(), zeroID(); ; {
		var next []RetainedSource
		err := s.r.NewSelect().TableExpr(s.using("events", "events_source")).Column("project_id", "source_id").
			Where("(project_id, source_id) > (?, ?)", project, source).OrderExpr("project_id, source_id").Limit(1).Scan(ctx, &next)
		if err != nil || len(next) == 0 {
			return out, translate(err)
		}
		r, days := next[0], defaultRetention
		project, source = r.ProjectID[:], r.SourceID[:]
		if src, ok := config.Source(r.SourceID); ok {
			r.Name, days = src.Name, src.RetentionDays
		}
		r.Before = s.Now().AddDate(0, 0, -days)
		out = append(out, r)
	}
}

// idSpan is a range of ids, the second exclusive.
type idSpan struct{ from, before []byte }

// keptSpans are the ranges of ids that jobs which are not over may still read.
func (s *Store) keptSpans(ctx context.Context, idb bun.IDB, project relay.ID) ([]idSpan, error) {
	var rows []replayRow
	err := idb.NewSelect().Model(&rows).ModelTableExpr(s.using("replays", "replays_open")).Column("lower_id", "upper_id", "cursor_event", "drained").
		Where("(finished_at IS NULL OR settling) AND finished_at IS NULL AND project_id = ?", project).Scan(ctx)
	spans := make([]idSpan, 0, len(rows))
	for _, r := range rows {
		if !r.Drained {
			spans = append(spans, idSpan{maxBytes(r.LowerID, r.CursorEvent), r.UpperID})
		}
	}
	return spans, translate(err)
}

// retainSource removes what is old of a source, up to what one run may.
func (s *Store) retainSource(ctx context.Context, o RetentionOptions, src *RetainedSource, preview bool) (left bool, err error) {
	most := 0 // not known yet
	for from := zeroID(); ; {
		if !o.All && src.Events >= max(most, relay.MostRemoved(0)) {
			if most == 0 {
				there := s.r.NewSelect().TableExpr(s.using("events", "events_source")).Where("project_id = ? AND source_id = ?", src.ProjectID, src.SourceID)
				n, err := there.Count(ctx)
				if err != nil {
					return false, translate(err)
				}
				if !preview {
					n += int64(src.Events)
				}
				most = relay.MostRemoved(int(n))
			}
			if src.Events >= most {
				return true, nil
			}
		}
		var ids []relay.ID
		q := s.r.NewSelect().TableExpr(s.using("events", "events_source")).Column("id").
			Where("project_id = ? AND source_id = ? AND id >= ? AND id < ?", src.ProjectID, src.SourceID, from, idBound(src.Before)).
			OrderExpr("id").Limit(retentionRows)
		if err := q.Scan(ctx, &ids); err != nil || len(ids) == 0 {
			return false, translate(err)
		}
		from = nextID(ids[len(ids)-1])
		if err := s.retainBatch(ctx, src, ids, preview); err != nil {
			return false, err
		}
		if len(ids) < retentionRows {
			return false, nil
		}
		if o.Renew != nil && !preview {
			if on, err := o.Renew(ctx); err != nil || !on {
				return false, err
			}
		}
	}
}

// retainBatch removes those of some old events that nothing needs.
func (s *Store) retainBatch(ctx context.Context, src *RetainedSource, ids []relay.ID, preview bool) error {
	run, idb := s.write, bun.IDB(s.r)
	if preview {
		return s.retainSome(ctx, idb, src, ids, true)
	}
	counted := *src
	return run(ctx, func(ctx context.Context, tx bun.Tx) error {
		*src = counted
		if s.pg { // against replays of these events
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
	err = idb.NewSelect().TableExpr(s.using("deliveries", "deliveries_event")).Column("id", "event_id", "status").
		Where("event_id IN (?)", bun.List(ids)).Scan(ctx, &deliveries)
	if err != nil {
		return translate(err)
	}
	needed := map[relay.ID]bool{}
	for _, d := range deliveries {
		if !relay.DeliveryStatus(d.Status).Final() {
			needed[d.EventID] = true
		}
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id relay.ID) bool {
		return needed[id] || slices.ContainsFunc(spans, func(p idSpan) bool {
			return bytes.Compare(id[:], p.from) >= 0 && bytes.Compare(id[:], p.before) < 0
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
