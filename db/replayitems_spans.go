package db

import (
	"context"
	"sync"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/reprise-dev/reprise/relay"
)

// spans cut what a filter of events selects into spans of ids, each of which
// holds as much as is read at a time, or less.
type spans struct {
	s       *Store
	project relay.ID
	filter  EventFilter
	index   string // that finds what the filter selects
	reading string // that the next spans are read by
	left    idSpan // from is nil: nothing
	cut     int
}

func (s *Store) spansOf(project relay.ID, f EventFilter, all idSpan) *spans {
	return &spans{s: s, project: project, filter: f, index: f.index(), left: all}
}

// next is the next span and the index to read it by. There must be one left;
// after an error there is none.
func (c *spans) next(ctx context.Context) (span idSpan, index string, err error) {
	span, c.left.from = c.left, nil
	var last []relay.ID
	q := c.indexed().narrow(c.s.r.NewSelect().TableExpr(c.s.using("events", c.index)).Column("id"), c.project).
		Where("id >= ? AND id < ?", span.from, span.before).OrderExpr("id").Offset(candidateRows - 1).Limit(1)
	if err := q.Scan(ctx, &last); err != nil {
		return span, "", translate(err)
	}
	var rest []byte
	if len(last) > 0 {
		span.before = nextID(last[0])
		rest = span.before
	}
	if c.cut%8 == 0 {
		if c.reading, err = c.readingOf(ctx, span); err != nil {
			return span, "", err
		}
	}
	c.cut++
	c.left.from = rest
	return span, c.reading, nil
}

// indexed is what of the filter the index knows: no row is looked at to cut.
func (c *spans) indexed() EventFilter {
	switch c.index {
	case "events_status":
		return EventFilter{Status: c.filter.Status}
	case "events_type":
		return EventFilter{EventType: c.filter.EventType}
	case "events_source":
		return EventFilter{SourceID: c.filter.SourceID}
	}
	return EventFilter{}
}

// readingOf is what to read spans like this one by: SQLite takes less time for
// all events there are than for looking a third of them up.
func (c *spans) readingOf(ctx context.Context, span idSpan) (string, error) {
	const enough = 3 * candidateRows
	if c.s.pg || c.index == "" {
		return c.index, nil
	}
	there := c.s.r.NewSelect().TableExpr(c.s.using("events", byKey)).ColumnExpr("1").
		Where("project_id = ? AND id >= ? AND id < ?", c.project, span.from, span.before).Limit(enough)
	n, err := c.s.r.NewSelect().TableExpr("(?) AS there", there).Count(ctx)
	if err != nil || n == enough {
		return c.index, translate(err)
	}
	return byKey, nil
}

// spanRead is what is found in a span, by a plan of its own.
type spanRead struct {
	plan  *plan
	found []candidate
	err   error
	done  chan struct{}
}

// eachSpan reads spans side by side and hands out in order what is found.
func (s *Store) eachSpan(ctx context.Context, p *plan, of *spans, fn func(found []candidate) error) error {
	ctx, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	ahead := 0 // beside the one that is waited for: SQLite's few readers are for pages, too
	if s.pg {
		ahead = 1
	}
	reads := make(chan *spanRead, ahead)
	all.Go(func() {
		defer close(reads)
		for of.left.from != nil {
			r := &spanRead{plan: p.aside(), done: make(chan struct{})}
			span, index, err := of.next(ctx)
			if err != nil {
				r.err = err
				close(r.done)
			} else {
				all.Go(func() {
					defer close(r.done)
					r.found, _, _, r.err = s.candidates(ctx, r.plan, of.read(span, index))
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
		p.takeBack(r.plan, r.found)
		if err := fn(r.found); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// read selects what the filter finds in a span.
func (c *spans) read(span idSpan, index string) *bun.SelectQuery {
	q := c.filter.narrow(c.s.ofEvents(index), c.project).Where("id >= ? AND id < ?", span.from, span.before)
	if c.filter.Q != "" {
		q = c.s.searching(q, c.filter.Q, span)
	}
	return q
}

// searching narrows events of a span to those that hold a text.
func (s *Store) searching(events *bun.SelectQuery, text string, span idSpan) *bun.SelectQuery {
	body := schema.SafeQuery("(SELECT ? FROM payloads WHERE payloads.event_id = events.id)", []any{s.contains("payloads.body", []byte(text))})
	if s.pg { // which reads two ranges side by side sooner than one row after another
		events = events.Join("LEFT JOIN (SELECT event_id AS searched, body FROM payloads WHERE event_id >= ? AND event_id < ?) AS p ON searched = events.id",
			span.from, span.before)
		body = s.contains("p.body", []byte(text))
	}
	return events.Where("? OR idempotency_key = ? OR ?", s.contains("event_type", clean(text)), clean(text), body)
}
