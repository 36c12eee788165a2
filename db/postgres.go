package db

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

func (s *Store) openPostgres(ctx context.Context, o Options) error {
	url := o.URL
	s.pg = true
	pages, err := openPGPool(ctx, url, pgPageConns, nil)
	if err != nil {
		return err
	}
	s.w = bun.NewDB(stdlib.OpenDBFromPool(pages), pgdialect.New())
	s.r = s.w
	hot := &pgHot{s: s, pages: pages}
	s.hot = hot
	if hot.control, err = openPGPool(ctx, url, 1, nil); err != nil {
		return err
	}
	// Everything hot finds rows by their keys, so that one plan serves for
	// whatever comes: planning takes longer than what is planned. maintain
	// sees to it that the plans are good ones.
	parameters := map[string]string{"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off",
		"plan_cache_mode": "force_generic_plan"}
	if hot.pool, err = openPGPool(ctx, url, pgHotConns, parameters); err != nil {
		return err
	}
	// A claim that is lost in a power cut only makes a delivery due again, and
	// a page of a replay job only that it is made again.
	parameters["synchronous_commit"] = "off"
	hot.lazy, err = openPGPool(ctx, url, pgLazyConns, parameters)
	if err != nil {
		return err
	}
	if err := s.w.PingContext(ctx); err != nil {
		return throughPooler(fmt.Errorf("connecting to PostgreSQL: %w", err))
	}
	var seqscan string
	if err := hot.pool.QueryRow(ctx, "SHOW enable_seqscan", pgx.QueryExecModeSimpleProtocol).Scan(&seqscan); err != nil {
		return throughPooler(fmt.Errorf("connecting to PostgreSQL: %w", err))
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

// throughPooler names the pooler that refused a connection for its settings.
func throughPooler(err error) error {
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

// pgHot runs bulk statements as one pipeline: a round trip for a transaction.
type pgHot struct {
	s       *Store
	pages   *pgxpool.Pool
	pool    *pgxpool.Pool
	lazy    *pgxpool.Pool
	control *pgxpool.Pool // of one connection, for beats and the time
	wrote   atomic.Int64  // rows since maintain looked
}

func (h *pgHot) prepare(context.Context) error { return nil }

func (h *pgHot) close() {
	if h.s.lock != nil { // its connection is one of a pool, which waits for it
		_ = h.s.lock.Close()
		h.s.lock = nil
	}
	for _, p := range []*pgxpool.Pool{h.pool, h.lazy, h.control} {
		if p != nil {
			p.Close()
		}
	}
	if h.s.w != nil {
		_ = h.s.w.Close()
	}
	if h.pages != nil {
		h.pages.Close()
	}
}

type batchSender interface {
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
}

// once relies on a pipeline being one implicit transaction when it holds no
// transaction command.
func (h *pgHot) once(ctx context.Context, d durability, works ...*work) error {
	h.note(works)
	return sendWorks(ctx, h.poolFor(d), works)
}

func (h *pgHot) poolFor(d durability) *pgxpool.Pool {
	if d == lazy {
		return h.lazy
	}
	return h.pool
}

func (h *pgHot) phases(ctx context.Context, d durability, fn func(run func(...*work) error) error) error {
	return pgx.BeginFunc(ctx, h.poolFor(d), func(tx pgx.Tx) error {
		return fn(func(works ...*work) error {
			h.note(works)
			return sendWorks(ctx, tx, works)
		})
	})
}

// backgroundRows: a server process that works for milliseconds without a pause
// keeps a core from whoever else is woken on it.
func (h *pgHot) backgroundRows() int { return 16 }

// sync has nothing to do.
func (h *pgHot) sync(context.Context) error { return nil }

func sendWorks(ctx context.Context, to batchSender, works []*work) error {
	var batch pgx.Batch
	for _, w := range works {
		if len(w.rows) == 0 {
			continue
		}
		queued := batch.Queue(w.bulk.pg, w.arrays()...)
		switch {
		case w.bulk.returns > 0:
			queued.Query(w.collect)
		case w.bulk.key >= 0:
			queued.Query(w.collectHits)
		}
	}
	if batch.Len() == 0 {
		return nil
	}
	return to.SendBatch(ctx, &batch).Close()
}

func (w *work) collect(rows pgx.Rows) error {
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		w.out = append(w.out, values)
	}
	return rows.Err()
}

func (w *work) collectHits(rows pgx.Rows) error {
	touched := map[string]bool{}
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return err
		}
		touched[string(id)] = true
	}
	w.hit = make([]bool, len(w.rows))
	for i, row := range w.rows {
		w.hit[i] = touched[string(row[w.bulk.key].([]byte))]
	}
	return rows.Err()
}

// arrays turns rows into one typed array for each column.
func (w *work) arrays() []any {
	out := make([]any, len(w.bulk.columns))
	for i, c := range w.bulk.columns {
		switch c.kind {
		case kBytes:
			out[i] = gather(w.rows, i, func(v any) []byte { return v.([]byte) })
		case kText:
			out[i] = gather(w.rows, i, func(v any) *string { t := v.(string); return &t })
		case kInt:
			out[i] = gather(w.rows, i, func(v any) *int64 { n := v.(int64); return &n })
		case kBool:
			out[i] = gather(w.rows, i, func(v any) bool { return v.(bool) })
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
