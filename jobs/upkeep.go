package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

const (
	pruneRest = 10 * time.Minute
	// sealRest is how long the headers of an earlier version wait between two
	// slices: nobody waits for them.
	sealRest = time.Second
)

// retentionSlice removes what is old, daily at 06:00 UTC.
func (e *Engine) retentionSlice(ctx context.Context, s *slice) (after, error) {
	var run db.RetentionRun
	if s.State == nil {
		if due, err := e.Store.RetentionDue(ctx); err != nil || !due {
			return after{}, err
		}
	} else if err := json.Unmarshal(s.State, &run); err != nil {
		return after{}, err
	}
	done, err := e.Store.ContinueRetention(ctx, db.RetentionOptions{AuditDays: e.AuditDays, Enough: s.enough}, &run)
	var refused *relay.Error
	if errors.As(err, &refused) && refused.Kind == relay.KindConflict {
		e.Log.Error("the time is not believed", "reason", refused.Detail)
		return after{}, e.Store.RetentionDone(ctx) // judged anew tomorrow
	}
	if err != nil {
		return after{}, err
	}
	if !done {
		state, err := json.Marshal(run)
		return after{more: true, state: state}, err
	}
	events, deliveries := 0, 0
	for _, s := range run.Report.Sources {
		events, deliveries = events+s.Events, deliveries+s.Deliveries
	}
	e.metrics.removed.Add(float64(events))
	e.metrics.retention.Set(float64(e.Now().Unix()))
	e.Log.Info("removed what is old", "events", events, "deliveries", deliveries, "replays", run.Report.Replays,
		"plans", run.Report.Plans, "audit_entries", run.Report.AuditEntries, "more_tomorrow", run.Report.Left)
	return after{}, e.Store.RetentionDone(ctx)
}

// pruneSlice removes what has expired.
func (e *Engine) pruneSlice(ctx context.Context, s *slice) (after, error) {
	more, err := e.Store.Prune(ctx, s.enough)
	if more || err != nil {
		return after{more: more}, err
	}
	return after{rest: pruneRest}, nil
}

// discardSlice discards what waits for deleted endpoints.
func (e *Engine) discardSlice(ctx context.Context, s *slice) (after, error) {
	_, more, err := e.Store.DiscardDeleted(ctx, s.enough)
	return after{more: more}, err
}

// sealSlice seals what an earlier version kept plain.
func (e *Engine) sealSlice(ctx context.Context, s *slice) (after, error) {
	for !s.enough() {
		if more, err := e.Store.SealHeaders(ctx); err != nil || !more {
			e.sealed.Store(err == nil)
			return after{}, err
		}
	}
	return after{rest: sealRest}, nil
}
