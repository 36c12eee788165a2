package replays

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// spans cut what a filter of events selects into spans of ids, each of which
// holds as much as is read at a time, or less.
type spans struct {
	s       *Store
	project relay.ID
	filter  lists.EventFilter
	index   string       // that finds what the filter selects
	reading string       // that the next spans are read by
	named   relay.ID     // an event that a search finds by its id
	left    sqldb.IDSpan // from is nil: nothing
	rows    int          // in a span
	cut     int
}

func (s *Store) spansOf(project relay.ID, f lists.EventFilter, all sqldb.IDSpan, rows int) *spans {
	return &spans{s: s, project: project, filter: f, index: f.Index(), left: all, rows: rows}
}

// next is the next span and the index to read it by. There must be one left;
// after an error there is none.
func (c *spans) next(ctx context.Context) (span sqldb.IDSpan, index string, err error) {
	span, c.left.From = c.left, nil
	var last []relay.ID
	q := c.indexed().Narrow(c.s.R.NewSelect().TableExpr(c.s.Using("events", c.index)).Column("id"), c.project).
		Where("id >= ? AND id < ?", span.From, span.Before).OrderExpr("id").Offset(int64(c.rows - 1)).Limit(1)
	if err := q.Scan(ctx, &last); err != nil {
		return span, "", sqldb.Translate(err)
	}
	var rest []byte
	if len(last) > 0 {
		span.Before = sqldb.NextID(last[0])
		rest = span.Before
	}
	if c.cut%8 == 0 {
		if c.reading, err = c.readingOf(ctx, span); err != nil {
			return span, "", err
		}
	}
	c.cut++
	c.left.From = rest
	return span, c.reading, nil
}

// indexed is what of the filter the index knows: no row is looked at to cut.
func (c *spans) indexed() lists.EventFilter {
	switch c.index {
	case "events_status":
		return lists.EventFilter{Status: c.filter.Status}
	case "events_type":
		return lists.EventFilter{EventType: c.filter.EventType}
	case "events_source":
		return lists.EventFilter{SourceID: c.filter.SourceID}
	}
	return lists.EventFilter{}
}

// readingOf is what to read spans like this one by: SQLite takes less time for
// all events there are than for looking a third of them up.
func (c *spans) readingOf(ctx context.Context, span sqldb.IDSpan) (string, error) {
	enough := int64(3 * c.rows)
	if c.s.PG || c.index == "" {
		return c.index, nil
	}
	there := c.s.R.NewSelect().TableExpr(c.s.Using("events", sqldb.ByKey)).ColumnExpr("1").
		Where("project_id = ? AND id >= ? AND id < ?", c.project, span.From, span.Before).Limit(enough)
	n, err := c.s.R.NewSelect().TableExpr("(?) AS there", there).Count(ctx)
	if err != nil || n == enough {
		return c.index, sqldb.Translate(err)
	}
	return sqldb.ByKey, nil
}

// spanRead is what is found in a span.
type spanRead[T any] struct {
	span  sqldb.IDSpan
	found T
	err   error
	done  chan struct{}
}

// eachSpan reads spans side by side and hands out in order what is found.
func eachSpan[T any](ctx context.Context, of *spans, read func(ctx context.Context, span sqldb.IDSpan, index string) (T, error), fn func(span sqldb.IDSpan, found T) error) error {
	ctx, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	ahead := 0 // beside the one that is waited for: SQLite's few readers are for pages, too
	if of.s.PG {
		ahead = 1
	}
	reads := make(chan *spanRead[T], ahead)
	all.Go(func() {
		defer close(reads)
		for of.left.From != nil {
			r := &spanRead[T]{done: make(chan struct{})}
			var index string
			if r.span, index, r.err = of.next(ctx); r.err != nil {
				close(r.done)
			} else {
				all.Go(func() {
					defer close(r.done)
					r.found, r.err = read(ctx, r.span, index)
				})
			}
			select {
			case reads <- r:
			case <-ctx.Done():
				return
			}
		}
	})
	for r := range reads {
		<-r.done
		if r.err != nil {
			return r.err
		}
		if err := fn(r.span, r.found); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// read selects what the filter finds in a span; nil: nothing.
func (c *spans) read(ctx context.Context, span sqldb.IDSpan, index string) (*bun.SelectQuery, error) {
	inSpan := func(q *bun.SelectQuery) *bun.SelectQuery {
		return c.filter.Narrow(q, c.project).Where("id >= ? AND id < ?", span.From, span.Before)
	}
	if c.filter.Q == "" {
		return inSpan(c.s.eventsOf(index)), nil
	}
	ids, err := c.s.Found(ctx, inSpan(c.s.R.NewSelect().TableExpr(c.s.Using("events", index))), c.filter.Q, span)
	if err != nil {
		return nil, err
	}
	if id := c.named[:]; !c.named.IsZero() && bytes.Compare(id, span.From) >= 0 && bytes.Compare(id, span.Before) < 0 && !slices.Contains(ids, c.named) {
		ids = append(ids, c.named)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return inSpan(c.s.eventsOf(sqldb.ByKey)).Where("id IN (?)", bun.List(ids)), nil
}
