package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/reprise-dev/reprise/relay"
)

// Translate turns a driver's error into the domain's: what is not there, what
// conflicts, and what cannot be reached or written now. Other errors pass.
func Translate(err error) error {
	var known *relay.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return relay.ErrNotFound
	case IsUnique(err):
		return &relay.Error{Kind: relay.KindConflict, Detail: "Something with the same name or key exists already.", Cause: err}
	case isDamage(err):
		return &relay.Error{Kind: relay.KindUnavailable, Detail: "The database is damaged, and has to be restored from a backup.", RetryAfter: time.Minute, Cause: err}
	case isUnavailable(err):
		return Unavailable(err)
	}
	return err
}

// Unavailable is the error for a database that cannot be used right now.
func Unavailable(err error) error {
	return &relay.Error{
		Kind: relay.KindUnavailable, Detail: "The database cannot be used right now. Nothing was stored; please try again.",
		RetryAfter: 5 * time.Second, Cause: err,
	}
}

// IsUnique reports whether a row is there already.
func IsUnique(err error) bool {
	var p *pgconn.PgError
	if errors.As(err, &p) {
		return p.Code == "23505"
	}
	var l *sqlite.Error
	if errors.As(err, &l) {
		return l.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || l.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	return false
}

// isDamage reports whether SQLite found in its file what cannot be there.
func isDamage(err error) bool {
	var l *sqlite.Error
	return errors.As(err, &l) && (l.Code()&0xff == sqlite3.SQLITE_CORRUPT || l.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

func isUnavailable(err error) bool {
	var p *pgconn.PgError
	if errors.As(err, &p) {
		switch p.Code[:2] {
		case "08", "53", "57", "25", "40", "55", "58": // connection, resources, shutdown, read-only, deadlock, locks, I/O
			return true
		}
		return false
	}
	var l *sqlite.Error
	if errors.As(err, &l) {
		switch l.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY,
			sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
			return true
		}
		return false
	}
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrConnDone) ||
		strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF")
}
