package sqldb

import (
	"context"
	"time"
)

const (
	// analyzeTick is how often a table that grows is looked at, and
	// analyzeRows how much must have been written meanwhile.
	analyzeTick = 200 * time.Millisecond
	analyzeRows = 100
	// maturePages is how many pages of 8 kB a table has whose plans no longer
	// change as it grows. From there on autovacuum is soon enough.
	maturePages = 10_000
)

// outgrown are the tables that are much larger than PostgreSQL believes.
const outgrown = `SELECT relname, relpages, relpages * 1.5 + 4 < pg_relation_size(oid) / current_setting('block_size')::int8
	FROM pg_class WHERE oid IN ('events'::regclass, 'deliveries'::regclass)`

// note counts what is written.
func (h *PGHot) note(works []*Work) {
	n := 0
	for _, w := range works {
		n += len(w.Rows)
	}
	h.wrote.Add(int64(n))
}

// maintain counts tables while they are young. PostgreSQL itself counts a new
// table after a minute. Until then all ways to a row look equally short, and a
// plan may go through an index that has every row of the project; counting
// makes it think again.
func (h *PGHot) maintain(ctx context.Context) {
	tick := time.NewTicker(analyzeTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if h.wrote.Load() < analyzeRows {
			continue
		}
		h.wrote.Store(0)
		mature, err := h.analyze(ctx)
		if err != nil && ctx.Err() == nil {
			h.s.Log.Warn("counting rows for PostgreSQL's planner", "error", err)
		}
		if mature {
			return
		}
	}
}

// analyze counts the tables that have outgrown what is known of them, and
// reports whether all are mature.
func (h *PGHot) analyze(ctx context.Context) (mature bool, err error) {
	rows, err := h.Pages.Query(ctx, outgrown)
	if err != nil {
		return false, err
	}
	mature = true
	var due []string
	var name string
	var pages int64
	var grown bool
	for rows.Next() {
		if err := rows.Scan(&name, &pages, &grown); err != nil {
			rows.Close()
			return false, err
		}
		if pages < maturePages {
			mature = false
			if grown {
				due = append(due, name)
			}
		}
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	for _, name := range due {
		// Somebody else who counts or tidies up is not waited for.
		if _, err := h.Pages.Exec(ctx, "ANALYZE (SKIP_LOCKED) "+name); err != nil {
			return false, err
		}
	}
	return mature, nil
}
