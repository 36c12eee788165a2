package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrInUse says that another process serves from this SQLite file.
var ErrInUse = errors.New("another Reprise process is using this SQLite database; stop it first, or use PostgreSQL and Redis to run several")

// lockFile takes an OS lock, which the kernel gives back however the process
// ends. It waits up to wait for the present holder.
func lockFile(ctx context.Context, path string, wait time.Duration) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			_ = f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-deadline.C:
			_ = f.Close()
			return nil, ErrInUse
		case <-ctx.Done():
			_ = f.Close()
			return nil, ctx.Err()
		}
	}
}

// MigrationLock is the key of PostgreSQL's advisory lock for migrations.
const MigrationLock = 0x72657072697365 // "reprise"

// What lets one process migrate at a time on SQLite: the end of its name, and
// how long others wait for it.
const (
	migrationLockFile = ".migrate"
	migrationWait     = 30 * time.Second
)

// lockMigrations lets one process migrate at a time. On SQLite the lock is a
// file of its own, so that commands can migrate beside nobody but each other.
func (s *DB) lockMigrations(ctx context.Context) (func(), error) {
	if !s.PG {
		f, err := lockFile(ctx, s.Hot.(*sqliteHot).path+migrationLockFile, migrationWait)
		if err != nil {
			return nil, err
		}
		return func() { _ = f.Close() }, nil
	}
	conn, err := s.W.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(?)", MigrationLock); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("waiting for the migration lock: %w", err)
	}
	return func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(?)", MigrationLock)
		_ = conn.Close()
	}, nil
}
