package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

const (
	retentionTick  = time.Minute
	retentionLease = 10 * time.Minute
)

// retention removes what is old, daily at 06:00 UTC, on one process, which
// holds a lease in SQL.
func (e *Engine) retention(ctx context.Context) {
	tick := time.NewTicker(retentionTick)
	defer tick.Stop()
	for {
		if err := e.retentionOnce(ctx); err != nil && ctx.Err() == nil {
			e.Log.Warn("removing what is old", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (e *Engine) retentionOnce(ctx context.Context) error {
	due, err := e.Store.RetentionDue(ctx)
	if err != nil || !due {
		return err
	}
	renew := func(ctx context.Context) (bool, error) {
		return e.Store.TakeLease(ctx, "retention", e.owner, retentionLease)
	}
	if mine, err := renew(ctx); err != nil || !mine {
		return err
	}
	if due, err = e.Store.RetentionDue(ctx); err != nil || !due { // another process may just have done it
		return err
	}
	begun := e.Now()
	report, err := e.Store.RunRetention(ctx, db.RetentionOptions{AuditDays: e.AuditDays, Renew: renew})
	var refused *relay.Error
	if errors.As(err, &refused) && refused.Kind == relay.KindConflict {
		e.Log.Error("the time is not believed", "reason", refused.Detail)
		return e.Store.RetentionDone(ctx) // judged anew tomorrow
	}
	if err != nil {
		return err
	}
	events, deliveries := 0, 0
	for _, s := range report.Sources {
		events, deliveries = events+s.Events, deliveries+s.Deliveries
	}
	e.Log.Info("removed what is old", "events", events, "deliveries", deliveries, "replays", report.Replays,
		"plans", report.Plans, "audit_entries", report.AuditEntries, "more_tomorrow", report.Left, "took", e.Now().Sub(begun))
	return e.Store.RetentionDone(ctx)
}
