package lists

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

const (
	// searchTime is how long one page may search; a step that reads large
	// bodies may be cut short by searchLimit.
	searchTime  = time.Second
	searchLimit = 3 * time.Second
	// A step looks at this many events, as many as it can in about stepTime.
	minStep, maxStep = 16, 4096
	stepTime         = 150 * time.Millisecond
)

// searchEvents is Events with Q.
func (s *Store) searchEvents(ctx context.Context, project relay.ID, f EventFilter, p sqldb.Page) (EventSlice, error) {
	scope := f.scope(project)
	var last relay.ID
	if p.Cursor != "" {
		var err error
		if last, err = s.OpenCursor(p.Cursor, scope); err != nil {
			return EventSlice{}, err
		}
	}
	found, stopped, err := s.walkEvents(ctx, project, f, last, p.Most()+1)
	if err != nil {
		return EventSlice{}, err
	}
	named, err := s.EventByAnyID(ctx, project, f)
	if err != nil {
		return EventSlice{}, err
	}
	found = slices.DeleteFunc(found, func(e relay.Event) bool { return len(named) > 0 && e.ID == named[0].ID })
	if p.Cursor == "" {
		found = append(named, found...)
	}
	out := EventSlice{Slice: sqldb.SliceOf(s.DB, found, p, scope, eventID)}
	if out.Next == "" && !stopped.IsZero() {
		out.Next, out.SearchedTo = s.Cursor(stopped, scope), stopped.Time()
	}
	return out, nil
}

// EventByAnyID finds the event that Q is the id of, or of a delivery of which it
// is, in any form; mostly there is none.
func (s *Store) EventByAnyID(ctx context.Context, project relay.ID, f EventFilter) ([]relay.Event, error) {
	for _, prefix := range []relay.Prefix{relay.PrefixEvent, relay.PrefixDelivery} {
		id, err := relay.ParseID(prefix, f.Q)
		if err != nil {
			continue
		}
		d, err := s.Delivery(ctx, project, id)
		if err == nil {
			id = d.EventID
		} else if !errors.Is(err, relay.ErrNotFound) {
			return nil, err
		}
		var rows []EventRow
		err = f.Narrow(s.R.NewSelect().Model(&rows), project).Where("id = ?", id).Scan(ctx)
		return openEvents(rows), sqldb.Translate(err)
	}
	return nil, nil
}

// walkEvents looks through the events that a filter leaves for those that Q
// finds, newest first, beginning after last, until it has found want. If its
// time is over before, stopped is the last event that it looked at.
func (s *Store) walkEvents(ctx context.Context, project relay.ID, f EventFilter, last relay.ID, want int) (found []relay.Event, stopped relay.ID, err error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, searchLimit)
	defer cancel()
	found = []relay.Event{}
	for step := 4 * minStep; ; {
		stepBegun := time.Now()
		low, err := s.stepEnd(ctx, project, f, last, step)
		if err != nil {
			return nil, relay.ID{}, err
		}
		rows, err := s.stepHits(ctx, project, f, last, low, want-len(found))
		if err != nil {
			return nil, relay.ID{}, err
		}
		found = append(found, openEvents(rows)...)
		if low.IsZero() || len(found) >= want {
			return found, relay.ID{}, nil
		}
		last = low
		if time.Since(begun) >= searchTime {
			return found, last, nil
		}
		if took := time.Since(stepBegun); took < stepTime/2 {
			step = min(2*step, maxStep)
		} else if took > stepTime {
			step = max(step/2, minStep)
		}
	}
}

// stepEnd is the step-th event after last, or zero if there are not as many.
func (s *Store) stepEnd(ctx context.Context, project relay.ID, f EventFilter, last relay.ID, step int) (relay.ID, error) {
	var low []relay.ID
	q := f.Narrow(s.R.NewSelect().TableExpr(s.Using("events", f.Index())).Column("id"), project).OrderExpr("id DESC").Offset(int64(step - 1)).Limit(1)
	if !last.IsZero() {
		q = q.Where("id < ?", last)
	}
	if err := q.Scan(ctx, &low); err != nil || len(low) == 0 {
		return relay.ID{}, sqldb.Translate(err)
	}
	return low[0], nil
}

// stepHits finds Q among the events before last and down to low, newest first.
func (s *Store) stepHits(ctx context.Context, project relay.ID, f EventFilter, last, low relay.ID, want int) ([]EventRow, error) {
	span := sqldb.IDSpan{From: low[:], Before: bytes.Repeat([]byte{0xff}, len(last)+1)}
	if !last.IsZero() {
		span.Before = last[:]
	}
	events := f.Narrow(s.R.NewSelect().TableExpr(s.Using("events", f.Index())), project).Where("id >= ? AND id < ?", span.From, span.Before)
	ids, err := s.Found(ctx, events, f.Q, span)
	if err != nil || len(ids) == 0 {
		return nil, sqldb.Translate(err)
	}
	slices.SortFunc(ids, func(a, b relay.ID) int { return bytes.Compare(b[:], a[:]) })
	var rows []EventRow
	err = s.R.NewSelect().Model(&rows).Where("project_id = ? AND id IN (?)", project, bun.List(ids[:min(len(ids), want)])).OrderExpr("id DESC").Scan(ctx)
	return rows, sqldb.Translate(err)
}
