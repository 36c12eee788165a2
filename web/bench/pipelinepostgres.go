package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
)

// pipelinePostgres has two connections for each of the two things that it commits.
type pipelinePostgres struct{ pool *pgxpool.Pool }

func openPipelinePostgres(ctx context.Context, url string) (*pipelinePostgres, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	_, err = pool.Exec(ctx, `
		CREATE TABLE events (id bigint PRIMARY KEY, received_at timestamptz NOT NULL DEFAULT now(), body bytea NOT NULL);
		CREATE TABLE deliveries (event_id bigint PRIMARY KEY, delivered boolean NOT NULL DEFAULT false) WITH (fillfactor = 50);
		CREATE TABLE attempts (event_id bigint NOT NULL, made_at timestamptz NOT NULL DEFAULT now(), status int NOT NULL)`)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &pipelinePostgres{pool}, nil
}

func (s *pipelinePostgres) accept(ctx context.Context, batch []*item) error {
	ids, bodies := make([]int64, len(batch)), make([][]byte, len(batch))
	for i, it := range batch {
		ids[i], bodies[i] = it.id, it.body
	}
	_, err := s.pool.Exec(ctx, `
		WITH e AS (INSERT INTO events (id, body) SELECT * FROM unnest($1::bigint[], $2::bytea[]) RETURNING id)
		INSERT INTO deliveries (event_id) SELECT id FROM e`, ids, bodies)
	return err
}

func (s *pipelinePostgres) record(ctx context.Context, batch []*item) error {
	ids, statuses := make([]int64, len(batch)), make([]int, len(batch))
	for i, it := range batch {
		ids[i], statuses[i] = it.id, it.status
	}
	_, err := s.pool.Exec(ctx, `
		WITH d AS (UPDATE deliveries SET delivered = true WHERE event_id = ANY($1::bigint[]))
		INSERT INTO attempts (event_id, status) SELECT * FROM unnest($1::bigint[], $2::int[])`, ids, statuses)
	return err
}

func (s *pipelinePostgres) writers() int { return 2 }

func (s *pipelinePostgres) close() { s.pool.Close() }
