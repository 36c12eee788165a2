package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/reprise-dev/reprise/relay"
)

// sqliteHot runs bulk statements row by row on the one writing connection.
type sqliteHot struct {
	s        *Store
	path     string
	open     func(path string, size int, options ...string) (*sql.DB, error)
	prepared map[*bulk]*sql.Stmt
	picks    map[relay.Lane]*sql.Stmt
	takes    *sql.Stmt
}

func (h *sqliteHot) prepare(ctx context.Context) error {
	h.prepared = map[*bulk]*sql.Stmt{}
	for _, b := range hotBulks {
		if b.sqlite == "" {
			continue
		}
		stmt, err := h.s.w.DB.PrepareContext(ctx, b.sqlite) //nolint:sqlclosecheck // close does
		if err != nil {
			return fmt.Errorf("%w in %s", err, b.sqlite)
		}
		h.prepared[b] = stmt
	}
	h.picks = map[relay.Lane]*sql.Stmt{}
	for _, lane := range claimLanes {
		pick, err := h.s.w.DB.PrepareContext(ctx, fmt.Sprintf(sqlitePick, lane)) //nolint:sqlclosecheck // close does
		if err != nil {
			return err
		}
		h.picks[lane] = pick
	}
	var err error
	h.takes, err = h.s.w.DB.PrepareContext(ctx, sqliteTake)
	return err
}

func (h *sqliteHot) close() {
	for _, stmt := range h.prepared {
		_ = stmt.Close()
	}
	for _, stmt := range h.picks {
		_ = stmt.Close()
	}
	if h.takes != nil {
		_ = h.takes.Close()
	}
}

func (h *sqliteHot) once(ctx context.Context, d durability, works ...*work) error {
	return h.phases(ctx, d, func(run func(...*work) error) error { return run(works...) })
}

// backgroundRows: whoever receives a webhook waits for the one transaction there
// can be.
func (h *sqliteHot) backgroundRows() int { return 8 }

// sync waits until the write-ahead log is on disk: what was committed without
// waiting then is, too, be it there or, by a checkpoint, in the database.
func (h *sqliteHot) sync(context.Context) error { return h.withLog((*os.File).Sync) }

// writeOut begins to write the log to disk, so that the next live commit, which
// waits for all of it, finds little left. Without it that one waits longer, no
// more.
func (h *sqliteHot) writeOut() { _ = h.withLog(startWriting) }

func (h *sqliteHot) withLog(do func(*os.File) error) error {
	log, err := os.OpenFile(h.path+"-wal", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(do(log), log.Close())
}

func (h *sqliteHot) phases(ctx context.Context, d durability, fn func(run func(...*work) error) error) (err error) {
	if d != durable {
		defer h.writeOut() // after the connection was given back
	}
	conn, err := h.s.w.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() {
		// A connection that once found the file read-only never writes again.
		if l := (*sqlite.Error)(nil); errors.As(err, &l) && l.Code()&0xff == sqlite3.SQLITE_READONLY {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		_ = conn.Close()
	}()
	// Statements run without the context: a row takes microseconds, and a
	// context that can end makes the driver start a goroutine for each.
	background := context.WithoutCancel(ctx)
	if d != durable {
		if _, err := conn.ExecContext(background, "PRAGMA synchronous = NORMAL"); err != nil {
			return err
		}
		defer func() {
			// A connection that cannot be set back is not used again.
			if _, err := conn.ExecContext(background, "PRAGMA synchronous = FULL"); err != nil {
				_ = conn.Raw(func(any) error { return driver.ErrBadConn })
			}
		}()
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	claims := sqliteClaimer{tx: tx, pick: func(lane relay.Lane) *sql.Stmt { return tx.StmtContext(background, h.picks[lane]) }}
	err = fn(func(works ...*work) error {
		for _, w := range works {
			if w.claiming != nil {
				claims.taken = tx.StmtContext(background, h.takes)
				if err := w.claiming.run(background, claims); err != nil {
					return err
				}
				continue
			}
			if w.bulk.sqlite == "" || len(w.rows) == 0 {
				continue
			}
			stmt := tx.StmtContext(background, h.prepared[w.bulk]) //nolint:sqlclosecheck // ends with the transaction
			if w.bulk.returns > 0 {
				if err := w.query(background, stmt); err != nil {
					return err
				}
				continue
			}
			for _, row := range w.rows {
				result, err := stmt.ExecContext(background, row...)
				if err != nil {
					return fmt.Errorf("%w in %.60s", err, w.bulk.sqlite)
				}
				if w.bulk.key >= 0 {
					n, _ := result.RowsAffected()
					w.hit = append(w.hit, n > 0)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return tx.Commit()
}

// query runs a bulk that returns rows, once for each of its rows.
func (w *work) query(ctx context.Context, stmt *sql.Stmt) error {
	for _, row := range w.rows {
		out := make([]any, w.bulk.returns)
		into := make([]any, len(out))
		for i := range out {
			into[i] = &out[i]
		}
		if err := stmt.QueryRowContext(ctx, row...).Scan(into...); err != nil {
			return fmt.Errorf("%w in %.60s", err, w.bulk.sqlite)
		}
		w.out = append(w.out, out)
	}
	return nil
}
