package sqldb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

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

// DB is a database that is open: its connections, its clock and its key. It
// is safe for concurrent use.
type DB struct {
	W    *bun.DB // writes; on SQLite its one connection
	R    *bun.DB // reads; on SQLite a pool that cannot write
	Hot  hotPath // bulk statements
	PG   bool
	Box  *Box
	Log  *slog.Logger
	lock interface{ Close() error }

	auditOrder sequence
	changes    atomic.Int64
	Background *Background
	Clock      *serverClock

	stop   context.CancelFunc
	wait   sync.WaitGroup
	closed sync.Once
}

// OpenDB connects, migrates if asked to, and checks that the key fits what it sealed.
// Close ends it.
func OpenDB(ctx context.Context, o Options) (*DB, error) {
	s := &DB{Clock: &serverClock{Own: o.Now, Given: o.Now != nil}, Log: o.Log, Background: NewBackground()}
	if !s.Clock.Given {
		s.Clock.Own = func() time.Time { return time.Now().Add(o.ClockError) }
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.Box, err = newBox(o.Key); err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(o.URL, "sqlite://"):
		path := strings.TrimPrefix(o.URL, "sqlite://")
		if err = s.openSQLite(ctx, path, o); err == nil {
			err = s.prepare(ctx, o)
		}
		if err != nil {
			err = fmt.Errorf("opening %s: %w", path, Translate(err))
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

func (s *DB) prepare(ctx context.Context, o Options) error {
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
	return s.askClock(ctx)
}

// Start makes statements ready, the bulks and others of SQLite, and answers the
// context of what runs until Close; see run.
func (s *DB) Start(ctx context.Context, bulks []*Bulk, others []string) (context.Context, error) {
	if err := s.Hot.prepare(ctx, bulks, others); err != nil {
		return nil, fmt.Errorf("preparing statements: %w", err)
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.Run(running, s.Hot.maintain)
	s.Run(running, s.followClock)
	return running, nil
}

// Watched is the same database, with a hook that sees every query: for tests. The
// hot path is wrapped, so that nothing asks past the hook.
func (s *DB) Watched(hook bun.QueryHook) *DB {
	return &DB{W: s.W.WithQueryHook(hook), R: s.R.WithQueryHook(hook), Hot: struct{ hotPath }{s.Hot}, PG: s.PG, Box: s.Box, Log: s.Log,
		Clock: s.Clock, Background: NewBackground()}
}

// Run does something until Close ends its context, which waits for it.
func (s *DB) Run(ctx context.Context, do func(context.Context)) {
	s.wait.Go(func() { do(ctx) })
}

// Close ends what runs and closes the database.
func (s *DB) Close() error {
	var err error
	s.closed.Do(func() {
		if s.stop != nil {
			s.stop()
			s.wait.Wait()
		}
		if s.Hot != nil {
			s.Hot.close()
		}
		if s.R != nil && s.R != s.W {
			err = errors.Join(err, s.R.Close())
		}
		if s.W != nil {
			err = errors.Join(err, s.W.Close())
		}
		if s.lock != nil {
			err = errors.Join(err, s.lock.Close())
		}
	})
	return err
}

// Ping asks the database for an answer.
func (s *DB) Ping(ctx context.Context) error {
	var one int
	return Translate(s.R.NewSelect().ColumnExpr("1").Scan(ctx, &one))
}

// Kind is "sqlite" or "postgres".
func (s *DB) Kind() string {
	if s.PG {
		return "postgres"
	}
	return "sqlite"
}

// Write runs fn in a transaction that may write, and hands out domain errors.
// fn runs again if the transaction waited for another one in a circle.
func (s *DB) Write(ctx context.Context, fn func(ctx context.Context, tx bun.Tx) error) error {
	err := s.W.RunInTx(ctx, nil, fn)
	for range 2 {
		if !IsDeadlock(err) {
			break
		}
		err = s.W.RunInTx(ctx, nil, fn)
	}
	return Translate(err)
}

// WriteAudited is write followed by an audit entry in the same transaction.
func (s *DB) WriteAudited(ctx context.Context, entry relay.AuditEntry, fn func(ctx context.Context, tx bun.Tx) error) error {
	defer s.changes.Add(1)
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := fn(ctx, tx); err != nil {
			return err
		}
		return s.WriteAudit(ctx, tx, entry)
	})
}

// Changes counts what people changed through this process: what was paused,
// cancelled or discarded, among others. While it stays the same, what was known
// of a claim a moment ago holds, as far as this process goes.
func (s *DB) Changes() int64 { return s.changes.Load() }

// Micros is how times are stored: microseconds since 1970, UTC.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// FromMicros is the inverse of micros; 0 is the zero time.
func FromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
