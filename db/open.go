package db

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// Options say which database to open, and how.
type Options struct {
	// URL is sqlite://path (relative), sqlite:///path (absolute) or postgres://….
	URL string
	// Key seals secrets at rest: 32 bytes.
	Key []byte
	// Exclusive is set by processes that serve: with SQLite a second one is
	// refused. Commands that only work on rows leave it off.
	Exclusive bool
	// Alone is set by a serving process that no other may join, because its
	// Redis is the embedded one. It needs Exclusive.
	Alone bool
	// LockWait is how long to wait for another process to let go of the
	// database file; rolling restarts need some. Zero: do not wait.
	LockWait time.Duration
	// Migrate brings the schema up to date. Without it, an outdated schema
	// is an error.
	Migrate bool
	// Demo makes the database the demo's, if nothing else is in it; one that is
	// in use is KindConflict, and not changed. It needs Migrate.
	Demo bool
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// ClockError is how far the clock of this machine is off, for tests.
	ClockError time.Duration
	// PlanAtOnce is for how long PlanReplay plans before it answers; what takes
	// longer is planned slice by slice. Zero: two seconds; negative: not at all.
	PlanAtOnce time.Duration
	// SQLite connects to the file that a data source name of modernc.org/sqlite
	// names, for what simulates failures; nil: that driver itself.
	SQLite func(name string) driver.Connector
	Log    *slog.Logger
}

// Store is the database. It is safe for concurrent use.
type Store struct {
	w    *bun.DB // writes; on SQLite its one connection
	r    *bun.DB // reads; on SQLite a pool that cannot write
	hot  hotPath // the statements of receive, claim and record
	pg   bool
	box  *box
	log  *slog.Logger
	lock interface{ Close() error }

	auditOrder sequence
	slot       int64 // of this process, in sums that several add to
	changes    atomic.Int64
	batches    prometheus.Histogram
	onReplay   atomic.Pointer[func(relay.ID)]

	planAtOnce time.Duration
	plans      planSizes

	background *background
	receiver   *batchWriter
	recorder   *batchWriter
	replayed   *backgroundWriter

	config  atomic.Pointer[Snapshot]
	reading chan struct{} // of who reads the configuration: one at a time

	clock        *serverClock
	unknownSlugs everySecond
	unreadable   sync.Map // ids of rows that cannot be read, and were told of
	keys         *keyCache
	rejected     *rejections

	stop   context.CancelFunc
	wait   sync.WaitGroup
	closed sync.Once
}

// Open connects, migrates if asked to, checks that the key fits what it
// sealed, and starts the goroutines that commit. Close ends them.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{clock: &serverClock{own: o.Now, given: o.Now != nil}, log: o.Log, keys: newKeyCache(), rejected: newRejections(), batches: batchSizes(), background: newBackground(),
		reading: make(chan struct{}, 1), slot: rand.Int64N(countSlots), planAtOnce: cmp.Or(o.PlanAtOnce, planAtOnce), plans: defaultPlanSizes}
	if !s.clock.given {
		s.clock.own = func() time.Time { return time.Now().Add(o.ClockError) }
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.box, err = newBox(o.Key); err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(o.URL, "sqlite://"):
		path := strings.TrimPrefix(o.URL, "sqlite://")
		if err = s.openSQLite(ctx, path, o); err == nil {
			err = s.prepare(ctx, o)
		}
		if err != nil {
			err = fmt.Errorf("opening %s: %w", path, translate(err))
		}
	case strings.HasPrefix(o.URL, "postgres://"), strings.HasPrefix(o.URL, "postgresql://"):
		if err = s.openPostgres(ctx, o); err == nil {
			err = s.prepare(ctx, o)
		}
	default:
		err = errors.New("DATABASE_URL must begin with sqlite:// or postgres://")
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context, o Options) error {
	unlock, err := s.lockMigrations(ctx)
	if err != nil {
		return err
	}
	if o.Demo {
		err = s.refuseUsed(ctx)
	}
	switch {
	case err != nil:
	case o.Migrate:
		err = s.migrate(ctx)
	default:
		err = s.checkSchema(ctx)
	}
	switch {
	case err != nil:
	case o.Demo:
		err = s.claimDemo(ctx)
	case o.Exclusive:
		err = s.endClaim(ctx)
	}
	unlock()
	if err != nil {
		return err
	}
	if err := s.checkKey(ctx); err != nil {
		return err
	}
	if err := s.askClock(ctx); err != nil {
		return err
	}
	if err := s.hot.prepare(ctx); err != nil {
		return fmt.Errorf("preparing statements: %w", err)
	}
	if err := s.reloadConfig(ctx); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.startWriters(background)
	s.wait.Go(func() { s.watchConfig(background) })
	s.wait.Go(func() { s.hot.maintain(background) })
	s.wait.Go(func() { s.followClock(background) })
	s.wait.Go(func() { s.touchKeys(background) })
	s.wait.Go(func() { s.trimRejections(background) })
	return nil
}

// Close waits for commits under way and closes the database.
func (s *Store) Close() error {
	var err error
	s.closed.Do(func() {
		if s.stop != nil {
			s.receiver.close()
			if s.recorder != s.receiver {
				s.recorder.close()
			}
			s.replayed.close()
			s.stop()
			s.wait.Wait()
		}
		if s.hot != nil {
			s.hot.close()
		}
		if s.r != nil && s.r != s.w {
			err = errors.Join(err, s.r.Close())
		}
		if s.w != nil {
			err = errors.Join(err, s.w.Close())
		}
		if s.lock != nil {
			err = errors.Join(err, s.lock.Close())
		}
	})
	return err
}

// Ping asks the database for an answer.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return translate(s.r.NewSelect().ColumnExpr("1").Scan(ctx, &one))
}

// Kind is "sqlite" or "postgres".
func (s *Store) Kind() string {
	if s.pg {
		return "postgres"
	}
	return "sqlite"
}

// write runs fn in a transaction that may write, and hands out domain errors.
// fn runs again if the transaction waited for another one in a circle.
func (s *Store) write(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	err := s.w.RunInTx(ctx, nil, fn)
	for range 2 {
		if !isDeadlock(err) {
			break
		}
		err = s.w.RunInTx(ctx, nil, fn)
	}
	return translate(err)
}

// writeAudited is write followed by an audit entry in the same transaction.
func (s *Store) writeAudited(ctx context.Context, entry relay.AuditEntry, fn func(ctx context.Context, tx bun.Tx) error) error {
	defer s.changes.Add(1)
	return s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := fn(ctx, tx); err != nil {
			return err
		}
		return s.audit(ctx, tx, entry)
	})
}

// Changes counts what people changed through this process: what was paused,
// cancelled or discarded, among others. While it stays the same, what was known
// of a claim a moment ago holds, as far as this process goes.
func (s *Store) Changes() int64 { return s.changes.Load() }

// Micros is how times are stored: microseconds since 1970, UTC.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the inverse of micros; 0 is the zero time.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
