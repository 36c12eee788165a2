package jobs

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/relay"
)

// retentionLog notes when retention has run.
type retentionLog struct {
	slog.Handler
	clock *shifted
	mu    sync.Mutex
	runs  []time.Time
}

func (l *retentionLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "removed what is old" {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.runs = append(l.runs, l.clock.Now().UTC())
	}
	return nil
}

func (l *retentionLog) Enabled(context.Context, slog.Level) bool { return true }

func (l *retentionLog) ran() []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.runs)
}

// TestRetentionRunsOnceADay lets two processes on one database look at the
// clock every minute for three days.
func TestRetentionRunsOnceADay(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.Postgres(t), dbtest.Redis(t))
	log := &retentionLog{Handler: slog.DiscardHandler, clock: r.clock}
	engines := make([]*Engine, 2)
	for i, store := range []*db.Store{r.store, openStore(t, r.url, r.clock)} {
		engines[i] = NewEngine(EngineOptions{Store: store, Tasks: NewTasks(r.redis, false, slog.Default()), Now: r.clock.Now, Log: slog.New(log)})
	}
	look := func() {
		var both sync.WaitGroup
		for _, e := range engines {
			both.Go(func() {
				e.doSlice(kindRetention)
			})
		}
		both.Wait()
	}
	look() // which a new installation needs
	e := r.endpoint("/a")
	old := r.receive(3)
	kept := r.receive(1, e) // its delivery is not final
	r.clock.advance(40 * 24 * time.Hour)
	r.toTime(5, 50)
	look() // the time is not believed yet
	if n := len(log.ran()); n != 0 {
		t.Fatalf("%d runs after a jump of the clock", n)
	}
	r.clock.advance(24 * time.Hour)
	look() // what was missed
	if n := len(log.ran()); n != 1 {
		t.Fatalf("%d runs after it had missed some", n)
	}
	fresh := r.receive(1)
	for day := range 3 {
		for range 25 {
			look()
			r.clock.advance(time.Minute)
		}
		runs := log.ran()[1:]
		if len(runs) != day+1 {
			t.Fatalf("%d runs in %d days: %v", len(runs), day+1, runs)
		}
		if at := runs[day]; at.Hour() != 6 || at.Minute() != 0 {
			t.Errorf("it ran at %v", at)
		}
		r.toTime(5, 50)
	}
	for _, id := range old {
		if _, err := r.store.Event(t.Context(), r.project, id); relay.KindOf(err) != relay.KindNotFound {
			t.Errorf("%v is still there: %v", id, err)
		}
	}
	for _, id := range slices.Concat(kept, fresh) {
		if _, err := r.store.Event(t.Context(), r.project, id); err != nil {
			t.Errorf("%v is gone: %v", id, err)
		}
	}
}

// TestRetentionOfEnginesThatStart: both look at once when they start, and one
// of them does what was missed while none ran.
func TestRetentionOfEnginesThatStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.Postgres(t), dbtest.Redis(t))
	_, err := r.store.RetentionDue(t.Context())
	r.must(err)
	old := r.receive(500)
	r.clock.advance(38 * 24 * time.Hour)
	r.must(r.store.RetentionDone(t.Context())) // none ran for two days
	r.clock.advance(2 * 24 * time.Hour)
	log := &retentionLog{Handler: slog.DiscardHandler, clock: r.clock}
	for _, store := range []*db.Store{r.store, openStore(t, r.url, r.clock)} {
		r.start(func(o *EngineOptions) {
			o.Store, o.Log = store, slog.New(log)
		})
	}
	r.eventually("retention has run", func() bool { return len(log.ran()) > 0 })
	n, err := r.store.CountEvents(t.Context(), r.project, db.EventFilter{}, len(old))
	r.must(err)
	if n != 0 || len(log.ran()) != 1 {
		t.Errorf("%d events are left after %d runs", n, len(log.ran()))
	}
}

// toTime puts the clock forward to a time of the day, UTC.
func (r *rig) toTime(hour, minute int) {
	now := r.clock.Now().UTC()
	at := time.Date(now.Year(), now.Month(), now.Day(), hour, minute, 0, 0, time.UTC)
	if !at.After(now) {
		at = at.AddDate(0, 0, 1)
	}
	r.clock.advance(at.Sub(now))
}
