package sqldb

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

func (s *DB) openSQLite(ctx context.Context, path string, o Options) error {
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
	// by sqlite.maintain, not by whichever commit happens to be due. The cache
	// is small, for SQLite walks all of its hash table in each commit that
	// splits a page and has moved others around (balance_nonroot borrows a page
	// number beyond the file's end): with 64 MB, a tenth of a replay job's CPU.
	writer, err := o.OpenPool(path, 1, "_txlock=immediate", "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)",
		"_pragma=busy_timeout(5000)", "_pragma=wal_autocheckpoint(0)", "_pragma=cache_size(-16384)",
		"_pragma=journal_size_limit(67108864)", "_pragma=temp_store(MEMORY)")
	if err != nil {
		return err
	}
	s.W = bun.NewDB(writer, sqlitedialect.New())
	if err := s.beginSQLite(ctx, path); err != nil {
		return Translate(err)
	}
	reader, err := o.OpenPool(path, sqliteReaders, "_pragma=query_only(1)", "_pragma=busy_timeout(5000)",
		"_pragma=cache_size(-16384)", "_pragma=temp_store(MEMORY)")
	if err != nil {
		return err
	}
	s.R = bun.NewDB(reader, sqlitedialect.New())
	s.Hot = &sqliteHot{s: s, path: path, open: o.OpenPool}
	return nil
}

// beginSQLite opens the file, which makes it if need be. Two processes that
// turn the log on in a new file at the same time would each wait for the other
// to let go of it, which SQLite ends at once by refusing one.
func (s *DB) beginSQLite(ctx context.Context, path string) error {
	turn, err := lockFile(ctx, path+migrationLockFile, migrationWait)
	if err != nil {
		return err
	}
	defer func() { _ = turn.Close() }()
	return s.W.PingContext(ctx)
}

// OpenPool opens a pool of connections that have all been given these options.
func (o *Options) OpenPool(path string, size int, options ...string) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?"
	for i, o := range options {
		if i > 0 {
			dsn += "&"
		}
		dsn += o
	}
	var pool *sql.DB
	if o.SQLite != nil {
		pool = sql.OpenDB(o.SQLite(dsn))
	} else {
		var err error
		if pool, err = sql.Open("sqlite", dsn); err != nil {
			return nil, err
		}
	}
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	pool.SetConnMaxIdleTime(0)
	return pool, nil
}

// maintain moves the write-ahead log into the database file in the
// background, so that no commit has to. What was written meanwhile is moved
// between two commits, which is little: the log then begins anew instead of
// growing for as long as the traffic lasts.
func (h *sqliteHot) maintain(ctx context.Context) {
	const due, pageBytes = 8 << 20, 4096
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	checkpointer, err := h.open(h.path, 1, "_pragma=busy_timeout(1000)", "_pragma=synchronous(NORMAL)")
	if err != nil {
		h.s.Log.Error("opening a connection for checkpoints", "error", err)
		return
	}
	defer func() { _ = checkpointer.Close() }()
	var written time.Time // when the log was last written before it was moved
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// A log that began anew keeps its size.
		info, err := os.Stat(h.path + "-wal")
		if err != nil || info.Size() < due || info.ModTime().Equal(written) {
			continue
		}
		written = info.ModTime()
		frames, err := moveLog(ctx, checkpointer)
		if err == nil && frames*pageBytes >= due {
			// Once more, for what was written meanwhile: nobody waits for
			// that, but for what is left when the log begins anew.
			if _, err = moveLog(ctx, checkpointer); err == nil {
				err = h.restartLog(ctx)
			}
		}
		if err != nil && ctx.Err() == nil {
			h.s.Log.Warn("checkpoint failed", "error", err)
		}
	}
}

// moveLog moves what it can of the log, which is so many pages long, and makes
// nobody wait.
func moveLog(ctx context.Context, by *sql.DB) (frames int, err error) {
	var blocked, moved int
	err = by.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&blocked, &frames, &moved)
	return frames, err
}

// restartLog lets the next commit write at the log's beginning. Readers that
// still need the log keep it from that; it does not wait for them for long.
func (h *sqliteHot) restartLog(ctx context.Context) error {
	conn, err := h.s.W.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	for _, pragma := range []string{"busy_timeout(2)", "wal_checkpoint(RESTART)", "busy_timeout(5000)"} {
		if _, e := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA "+pragma); e != nil && err == nil {
			err = e
		}
	}
	return err
}
