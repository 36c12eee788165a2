package engine

import (
	"context"
	"sync"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

const (
	// RejectedKept is how many rejected events of a source are kept: anybody
	// can send those, so they must not fill the disk.
	RejectedKept = 1000
	// RejectedRows is how many are deleted in one transaction.
	RejectedRows = 500
)

// rejections are the sources that got rejected events since they were last
// trimmed.
type rejections struct {
	mu      sync.Mutex
	sources map[relay.ID]bool
	wake    chan struct{}
}

func newRejections() *rejections {
	return &rejections{sources: map[relay.ID]bool{}, wake: make(chan struct{}, 1)}
}

// note remembers the sources of a batch that got rejected events.
func (r *rejections) note(batch []*reception) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, in := range batch {
		if in.Event.Status == relay.EventRejected {
			r.sources[in.Event.SourceID] = true
		}
	}
	if len(r.sources) > 0 {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

func (r *rejections) take() map[relay.ID]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.sources
	r.sources = map[relay.ID]bool{}
	return taken
}

// trimRejections deletes, in the background, rejected events that are too many.
func (s *Store) trimRejections(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.rejected.wake:
		}
		for source := range s.rejected.take() {
			if err := s.trimRejected(ctx, source); err != nil && ctx.Err() == nil {
				s.Log.Warn("deleting old rejected events", "source", relay.PrefixSource.Format(source), "error", err)
			}
		}
	}
}

func (s *Store) trimRejected(ctx context.Context, source relay.ID) error {
	for {
		var old []struct{ ProjectID, ID relay.ID }
		err := s.R.NewSelect().Table("events").Column("project_id", "id").Where("source_id = ? AND status = 'rejected'", source).
			OrderExpr("id DESC").Offset(RejectedKept).Limit(RejectedRows).Scan(ctx, &old)
		if err != nil || len(old) == 0 {
			return sqldb.Translate(err)
		}
		ids := make([]relay.ID, len(old))
		for i := range old {
			ids[i] = old[i].ID
		}
		err = s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewDelete().Table("events").Where("project_id = ? AND id IN (?)", old[0].ProjectID, bun.List(ids)).Exec(ctx)
			if err != nil {
				return err
			}
			_, err = tx.NewDelete().Table("payloads").Where("event_id IN (?)", bun.List(ids)).Exec(ctx)
			return err
		})
		if err != nil || len(old) < RejectedRows {
			return err
		}
	}
}
