package sqldb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// serveLock is the key of PostgreSQL's advisory lock that serving processes
// share, and that one with the embedded Redis takes for itself.
const serveLock = 0x7265707269736501

// ErrNotAlone says that processes which serve from one PostgreSQL database do
// not see each other's work, for one of them uses the embedded Redis.
var ErrNotAlone = errors.New("another Reprise process is serving from this database and one of the two uses the embedded Redis, which works for one process only; set REDIS_URL for all of them")

// pgLock is a session's lock: PostgreSQL gives it back when the connection
// ends, however that happens.
type pgLock struct{ conn bun.Conn }

func (l pgLock) Close() error { return l.conn.Close() }

// lockServing waits up to wait for its share of the lock, or all of it.
func (s *DB) lockServing(ctx context.Context, alone bool, wait time.Duration) error {
	try := "SELECT pg_try_advisory_lock_shared(?)"
	if alone {
		try = "SELECT pg_try_advisory_lock(?)"
	}
	conn, err := s.W.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		var mine bool
		if err := conn.QueryRowContext(ctx, try, serveLock).Scan(&mine); err != nil || mine {
			if err != nil {
				_ = conn.Close()
				return err
			}
			s.lock = pgLock{conn}
			return nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
			continue
		case <-deadline.C:
			err = ErrNotAlone
		case <-ctx.Done():
			err = ctx.Err()
		}
		_ = conn.Close()
		return err
	}
}
