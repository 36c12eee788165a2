package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	_ "modernc.org/sqlite" // the driver sqlite, which the program has too
)

// pipelineSQLite has one connection, for SQLite has one writer.
type pipelineSQLite struct{ db *sql.DB }

func openPipelineSQLite(ctx context.Context, path string) (*pipelineSQLite, error) {
	db, err := sql.Open("sqlite", path+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, `
		CREATE TABLE events (id INTEGER PRIMARY KEY, received_at INTEGER NOT NULL DEFAULT (unixepoch()), body BLOB NOT NULL);
		CREATE TABLE deliveries (event_id INTEGER PRIMARY KEY, delivered INTEGER NOT NULL DEFAULT 0);
		CREATE TABLE attempts (event_id INTEGER NOT NULL, made_at INTEGER NOT NULL DEFAULT (unixepoch()), status INTEGER NOT NULL)`)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &pipelineSQLite{db}, nil
}

func (s *pipelineSQLite) accept(ctx context.Context, batch []*item) error {
	var events, deliveries []any
	for _, it := range batch {
		events, deliveries = append(events, it.id, it.body), append(deliveries, it.id)
	}
	return s.commit(ctx,
		statement{"INSERT INTO events (id, body) VALUES " + times("(?, ?)", batch), events},
		statement{"INSERT INTO deliveries (event_id) VALUES " + times("(?)", batch), deliveries})
}

func (s *pipelineSQLite) record(ctx context.Context, batch []*item) error {
	var deliveries, attempts []any
	for _, it := range batch {
		deliveries, attempts = append(deliveries, it.id), append(attempts, it.id, it.status)
	}
	return s.commit(ctx,
		statement{"UPDATE deliveries SET delivered = 1 WHERE event_id IN (" + times("?", batch) + ")", deliveries},
		statement{"INSERT INTO attempts (event_id, status) VALUES " + times("(?, ?)", batch), attempts})
}

type statement struct {
	query string
	args  []any
}

// times writes what stands for one item as often as there are items.
func times(one string, batch []*item) string {
	return strings.TrimSuffix(strings.Repeat(one+", ", len(batch)), ", ")
}

// commit executes statements in one transaction.
func (s *pipelineSQLite) commit(ctx context.Context, all ...statement) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, one := range all {
		if _, err := tx.ExecContext(ctx, one.query, one.args...); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

func (s *pipelineSQLite) writers() int { return 1 }

func (s *pipelineSQLite) close() { _ = s.db.Close() }
