package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// The pools are apart so that slow pages cannot keep webhooks from being
// stored.
const (
	pgHotConns  = 6
	pgLazyConns = 3
	pgPageConns = 10
)

func (s *DB) openPostgres(ctx context.Context, o Options) error {
	url := o.URL
	s.PG = true
	pages, err := openPGPool(ctx, url, pgPageConns, nil)
	if err != nil {
		return err
	}
	s.W = bun.NewDB(stdlib.OpenDBFromPool(pages), pgdialect.New())
	s.R = s.W
	hot := &PGHot{s: s, Pages: pages}
	s.Hot = hot
	if hot.Control, err = openPGPool(ctx, url, 1, nil); err != nil {
		return err
	}
	// Everything hot finds rows by their keys, so that one plan serves for
	// whatever comes: planning takes longer than what is planned. maintain
	// sees to it that the plans are good ones.
	parameters := map[string]string{"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off",
		"plan_cache_mode": "force_generic_plan"}
	if hot.Pool, err = openPGPool(ctx, url, pgHotConns, parameters); err != nil {
		return err
	}
	// A claim that is lost in a power cut only makes a delivery due again, and
	// a page of a replay job only that it is made again.
	parameters["synchronous_commit"] = "off"
	hot.Lazy, err = openPGPool(ctx, url, pgLazyConns, parameters)
	if err != nil {
		return err
	}
	if err := s.W.PingContext(ctx); err != nil {
		return ThroughPooler(fmt.Errorf("connecting to PostgreSQL: %w", err))
	}
	var seqscan string
	if err := hot.Pool.QueryRow(ctx, "SHOW enable_seqscan", pgx.QueryExecModeSimpleProtocol).Scan(&seqscan); err != nil {
		return ThroughPooler(fmt.Errorf("connecting to PostgreSQL: %w", err))
	}
	if seqscan != parameters["enable_seqscan"] {
		return ErrPooler
	}
	if o.Exclusive {
		return s.lockServing(ctx, o.Alone, o.LockWait)
	}
	return nil
}

// ErrPooler says that DATABASE_URL does not lead to PostgreSQL itself.
var ErrPooler = errors.New("DATABASE_URL leads to a connection pooler, such as PgBouncer, which takes no settings of a session: " +
	"name the address of PostgreSQL itself; Reprise has pools of its own")

// ThroughPooler names the pooler that refused a connection for its settings.
func ThroughPooler(err error) error {
	if strings.Contains(err.Error(), "unsupported startup parameter") {
		return fmt.Errorf("%w (%w)", ErrPooler, err)
	}
	return err
}

func openPGPool(ctx context.Context, url string, size int32, parameters map[string]string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	config.MaxConns = size
	config.ConnConfig.ConnectTimeout = 2 * time.Second
	config.ConnConfig.RuntimeParams["application_name"] = "reprise"
	config.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "30000"
	// No query here runs for so long that compiling it would pay, but where
	// PostgreSQL has not counted a table's rows yet it may think so.
	config.ConnConfig.RuntimeParams["jit"] = "off"
	for name, value := range parameters {
		config.ConnConfig.RuntimeParams[name] = value
	}
	return pgxpool.NewWithConfig(ctx, config)
}

// PGHot runs bulk statements as one pipeline: a round trip for a transaction.
type PGHot struct {
	s       *DB
	Pages   *pgxpool.Pool
	Pool    *pgxpool.Pool
	Lazy    *pgxpool.Pool
	Control *pgxpool.Pool // of one connection, for beats and the time
	wrote   atomic.Int64  // rows since maintain looked
}

// prepare has nothing to do: connections prepare what they run.
func (h *PGHot) prepare(context.Context, []*Bulk, []string) error { return nil }

func (h *PGHot) close() {
	if h.s.lock != nil { // its connection is one of a pool, which waits for it
		_ = h.s.lock.Close()
		h.s.lock = nil
	}
	for _, p := range []*pgxpool.Pool{h.Pool, h.Lazy, h.Control} {
		if p != nil {
			p.Close()
		}
	}
	if h.s.W != nil {
		_ = h.s.W.Close()
	}
	if h.Pages != nil {
		h.Pages.Close()
	}
}

type batchSender interface {
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
}

// Once relies on a pipeline being one implicit transaction when it holds no
// transaction command.
func (h *PGHot) Once(ctx context.Context, d Durability, works ...*Work) error {
	h.note(works)
	return sendWorks(ctx, h.PoolFor(d), works)
}

// PoolFor is the pool whose commits are as durable as asked for.
func (h *PGHot) PoolFor(d Durability) *pgxpool.Pool {
	if d == Lazy {
		return h.Lazy
	}
	return h.Pool
}

// Phases needs a round trip for each phase, and two more.
func (h *PGHot) Phases(ctx context.Context, d Durability, fn func(run func(...*Work) error) error) error {
	return pgx.BeginFunc(ctx, h.PoolFor(d), func(tx pgx.Tx) error {
		return fn(func(works ...*Work) error {
			h.note(works)
			return sendWorks(ctx, tx, works)
		})
	})
}

// BackgroundRows is small: a server process that works for milliseconds without a pause
// keeps a core from whoever else is woken on it.
func (h *PGHot) BackgroundRows() int { return 16 }

// Sync has nothing to do.
func (h *PGHot) Sync(context.Context) error { return nil }

func sendWorks(ctx context.Context, to batchSender, works []*Work) error {
	var batch pgx.Batch
	for _, w := range works {
		if len(w.Rows) == 0 {
			continue
		}
		queued := batch.Queue(w.Bulk.PG, w.arrays()...)
		switch {
		case w.Bulk.Returns > 0:
			queued.Query(w.collect)
		case w.Bulk.Key >= 0:
			queued.Query(w.collectHits)
		}
	}
	if batch.Len() == 0 {
		return nil
	}
	return to.SendBatch(ctx, &batch).Close()
}

func (w *Work) collect(rows pgx.Rows) error {
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		w.Out = append(w.Out, values)
	}
	return rows.Err()
}

func (w *Work) collectHits(rows pgx.Rows) error {
	touched := map[string]bool{}
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return err
		}
		touched[string(id)] = true
	}
	w.Hit = make([]bool, len(w.Rows))
	for i, row := range w.Rows {
		w.Hit[i] = touched[string(row[w.Bulk.Key].([]byte))]
	}
	return rows.Err()
}

// arrays turns rows into one typed array for each column.
func (w *Work) arrays() []any {
	out := make([]any, len(w.Bulk.Columns))
	for i, c := range w.Bulk.Columns {
		switch c.kind {
		case KBytes:
			out[i] = gather(w.Rows, i, func(v any) []byte { return v.([]byte) })
		case KText:
			out[i] = gather(w.Rows, i, func(v any) *string { t := v.(string); return &t })
		case KInt:
			out[i] = gather(w.Rows, i, func(v any) *int64 { n := v.(int64); return &n })
		case KBool:
			out[i] = gather(w.Rows, i, func(v any) bool { return v.(bool) })
		}
	}
	return out
}

func gather[T any](rows [][]any, column int, cast func(any) T) []T {
	out := make([]T, len(rows))
	for i, row := range rows {
		if row[column] != nil {
			out[i] = cast(row[column])
		}
	}
	return out
}
