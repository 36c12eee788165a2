package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteHot runs bulk statements row by row on the one writing connection.
type sqliteHot struct {
	s        *DB
	path     string
	open     func(path string, size int, options ...string) (*sql.DB, error)
	prepared map[*Bulk]*sql.Stmt
	others   map[string]*sql.Stmt
}

func (h *sqliteHot) prepare(ctx context.Context, bulks []*Bulk, others []string) error {
	h.prepared = map[*Bulk]*sql.Stmt{}
	for _, b := range bulks {
		if b.Sqlite == "" {
			continue
		}
		stmt, err := h.s.W.DB.PrepareContext(ctx, b.Sqlite) //nolint:sqlclosecheck // close does
		if err != nil {
			return fmt.Errorf("%w in %s", err, b.Sqlite)
		}
		h.prepared[b] = stmt
	}
	h.others = map[string]*sql.Stmt{}
	for _, query := range others {
		stmt, err := h.s.W.DB.PrepareContext(ctx, query) //nolint:sqlclosecheck // close does
		if err != nil {
			return fmt.Errorf("%w in %s", err, query)
		}
		h.others[query] = stmt
	}
	return nil
}

// SQLiteTx is a transaction on the one writing connection, with the statements that
// were made ready.
type SQLiteTx struct {
	*sql.Tx
	hot *sqliteHot
}

// Stmt is a statement that was made ready, within the transaction.
func (t SQLiteTx) Stmt(ctx context.Context, query string) *sql.Stmt {
	return t.StmtContext(ctx, t.hot.others[query])
}

func (h *sqliteHot) close() {
	for _, stmt := range h.prepared {
		_ = stmt.Close()
	}
	for _, stmt := range h.others {
		_ = stmt.Close()
	}
}

func (h *sqliteHot) Once(ctx context.Context, d Durability, works ...*Work) error {
	return h.Phases(ctx, d, func(run func(...*Work) error) error { return run(works...) })
}

// BackgroundRows: whoever receives a webhook waits for the one transaction there
// can be.
func (h *sqliteHot) BackgroundRows() int { return 8 }

// Sync waits until the write-ahead log is on disk: what was committed without
// waiting then is, too, be it there or, by a checkpoint, in the database.
func (h *sqliteHot) Sync(context.Context) error { return h.withLog((*os.File).Sync) }

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

func (h *sqliteHot) Phases(ctx context.Context, d Durability, fn func(run func(...*Work) error) error) (err error) {
	if d != Durable {
		defer h.writeOut() // after the connection was given back
	}
	conn, err := h.s.W.DB.Conn(ctx)
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
	if d != Durable {
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
	err = fn(func(works ...*Work) error {
		for _, w := range works {
			if w.Do != nil {
				if err := w.Do(background, SQLiteTx{tx, h}); err != nil {
					return err
				}
				continue
			}
			if w.Bulk.Sqlite == "" || len(w.Rows) == 0 {
				continue
			}
			stmt := tx.StmtContext(background, h.prepared[w.Bulk]) //nolint:sqlclosecheck // ends with the transaction
			if w.Bulk.Returns > 0 {
				if err := w.query(background, stmt); err != nil {
					return err
				}
				continue
			}
			for _, row := range w.Rows {
				result, err := stmt.ExecContext(background, row...)
				if err != nil {
					return fmt.Errorf("%w in %.60s", err, w.Bulk.Sqlite)
				}
				if w.Bulk.Key >= 0 {
					n, _ := result.RowsAffected()
					w.Hit = append(w.Hit, n > 0)
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
func (w *Work) query(ctx context.Context, stmt *sql.Stmt) error {
	for _, row := range w.Rows {
		out := make([]any, w.Bulk.Returns)
		into := make([]any, len(out))
		for i := range out {
			into[i] = &out[i]
		}
		if err := stmt.QueryRowContext(ctx, row...).Scan(into...); err != nil {
			return fmt.Errorf("%w in %.60s", err, w.Bulk.Sqlite)
		}
		w.Out = append(w.Out, out)
	}
	return nil
}
