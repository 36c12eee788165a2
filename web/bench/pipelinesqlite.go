package main

import (
	"context"
	"database/sql"

	_ "modernc.org/sqlite" // the driver sqlite, which the program has too
)

// pipelineSQLite has one connection, for SQLite has one writer.
type pipelineSQLite struct {
	db                                  *sql.DB
	event, delivery, delivered, attempt *sql.Stmt
}

func openPipelineSQLite(ctx context.Context, path string) (*pipelineSQLite, error) {
	db, err := sql.Open("sqlite", path+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	s := &pipelineSQLite{db: db}
	if err := s.prepare(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	return s, nil
}

func (s *pipelineSQLite) prepare(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, `
		CREATE TABLE events (id INTEGER PRIMARY KEY, received_at INTEGER NOT NULL DEFAULT (unixepoch()), body BLOB NOT NULL);
		CREATE TABLE deliveries (event_id INTEGER PRIMARY KEY, delivered INTEGER NOT NULL DEFAULT 0);
		CREATE TABLE attempts (event_id INTEGER NOT NULL, made_at INTEGER NOT NULL DEFAULT (unixepoch()), status INTEGER NOT NULL)`)
	for stmt, query := range map[**sql.Stmt]string{
		&s.event:     "INSERT INTO events (id, body) VALUES (?, ?)",
		&s.delivery:  "INSERT INTO deliveries (event_id) VALUES (?)",
		&s.delivered: "UPDATE deliveries SET delivered = 1 WHERE event_id = ?",
		&s.attempt:   "INSERT INTO attempts (event_id, status) VALUES (?, ?)",
	} {
		if err == nil {
			*stmt, err = s.db.PrepareContext(ctx, query)
		}
	}
	return err
}

func (s *pipelineSQLite) accept(ctx context.Context, batch []*item) error {
	return s.each(ctx, batch, func(tx *sql.Tx, it *item) error {
		if _, err := tx.StmtContext(ctx, s.event).ExecContext(ctx, it.id, it.body); err != nil {
			return err
		}
		_, err := tx.StmtContext(ctx, s.delivery).ExecContext(ctx, it.id)
		return err
	})
}

func (s *pipelineSQLite) record(ctx context.Context, batch []*item) error {
	return s.each(ctx, batch, func(tx *sql.Tx, it *item) error {
		if _, err := tx.StmtContext(ctx, s.delivered).ExecContext(ctx, it.id); err != nil {
			return err
		}
		_, err := tx.StmtContext(ctx, s.attempt).ExecContext(ctx, it.id, it.status)
		return err
	})
}

// each does something for all of a batch in one transaction.
func (s *pipelineSQLite) each(ctx context.Context, batch []*item, do func(*sql.Tx, *item) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, it := range batch {
		if err := do(tx, it); err != nil {
			_ = tx.Rollback() // do's error says what is wrong
			return err
		}
	}
	return tx.Commit()
}

func (s *pipelineSQLite) writers() int { return 1 }

func (s *pipelineSQLite) close() { _ = s.db.Close() }
