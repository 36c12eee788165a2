package db

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// sqliteReaders is the size of the pool that reads; reads of pages wait for
// each other before they use up memory.
const sqliteReaders = 6

func (s *Store) openSQLite(ctx context.Context, path string, o Options) error {
	if path == "" {
		return fmt.Errorf("DATABASE_URL names no file: use sqlite://data/reprise.db")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if o.Exclusive {
		if s.lock, err = lockFile(ctx, path+".lock", o.LockWait); err != nil {
			return err
		}
	}
	// FULL: a commit is on disk before it is answered. Checkpoints are made
	// by sqlite.maintain, not by whichever commit happens to be due.
	writer, err := openSQLitePool(path, 1, "_txlock=immediate", "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)",
		"_pragma=busy_timeout(5000)", "_pragma=wal_autocheckpoint(0)", "_pragma=cache_size(-65536)",
		"_pragma=journal_size_limit(67108864)", "_pragma=temp_store(MEMORY)")
	if err != nil {
		return err
	}
	s.w = bun.NewDB(writer, sqlitedialect.New())
	if err := s.w.PingContext(ctx); err != nil {
		return fmt.Errorf("opening %s: %w", path, err)
	}
	reader, err := openSQLitePool(path, sqliteReaders, "_pragma=query_only(1)", "_pragma=busy_timeout(5000)",
		"_pragma=cache_size(-16384)", "_pragma=temp_store(MEMORY)")
	if err != nil {
		return err
	}
	s.r = bun.NewDB(reader, sqlitedialect.New())
	s.hot = &sqliteHot{s: s, path: path}
	return nil
}

func openSQLitePool(path string, size int, options ...string) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?"
	for i, o := range options {
		if i > 0 {
			dsn += "&"
		}
		dsn += o
	}
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	pool.SetConnMaxIdleTime(0)
	return pool, nil
}

// maintain moves the write-ahead log into the database file in the
// background, so that no commit has to. A log that readers keep from being
// reset is reset by force when it has grown large.
func (h *sqliteHot) maintain(ctx context.Context) {
	const due, large = 8 << 20, 128 << 20
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	checkpointer, err := openSQLitePool(h.path, 1, "_pragma=busy_timeout(1000)", "_pragma=synchronous(NORMAL)")
	if err != nil {
		h.s.log.Error("opening a connection for checkpoints", "error", err)
		return
	}
	defer func() { _ = checkpointer.Close() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		info, err := os.Stat(h.path + "-wal")
		if err != nil || info.Size() < due {
			continue
		}
		pragma, pool := "PRAGMA wal_checkpoint(PASSIVE)", checkpointer
		if info.Size() > large {
			pragma, pool = "PRAGMA wal_checkpoint(TRUNCATE)", h.s.w.DB
		}
		if _, err := pool.ExecContext(ctx, pragma); err != nil && ctx.Err() == nil {
			h.s.log.Warn("checkpoint failed", "error", err)
		}
	}
}
