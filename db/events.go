package db

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

type eventRow struct {
	bun.BaseModel  `bun:"table:events,alias:events"`
	ID             relay.ID `bun:",pk"`
	ProjectID      relay.ID
	SourceID       relay.ID
	EventType      string
	Status         string
	SignatureValid bool
	Verdict        string
	IdempotencyKey string
	DuplicateOf    relay.ID
	IsTest         bool
	ContentType    string
	Size           int
	ReceivedAt     int64
}

func (r *eventRow) open() relay.Event {
	return relay.Event{ID: r.ID, ProjectID: r.ProjectID, SourceID: r.SourceID, EventType: r.EventType,
		Status: relay.EventStatus(r.Status), SignatureValid: r.SignatureValid, Verdict: relay.Verdict(r.Verdict),
		IdempotencyKey: r.IdempotencyKey, DuplicateOf: r.DuplicateOf, IsTest: r.IsTest, ContentType: r.ContentType,
		Size: r.Size, ReceivedAt: fromMicros(r.ReceivedAt)}
}

func openEvents(rows []eventRow) []relay.Event {
	out := make([]relay.Event, len(rows))
	for i := range rows {
		out[i] = rows[i].open()
	}
	return out
}

// Event finds an event of a project.
func (s *Store) Event(ctx context.Context, project, id relay.ID) (relay.Event, error) {
	var row eventRow
	err := s.r.NewSelect().Model(&row).Where("project_id = ? AND id = ?", project, id).Scan(ctx)
	return row.open(), translate(err)
}

// EventFilter narrows a list of events. Zero values do not.
type EventFilter struct {
	SourceID       relay.ID
	EventType      string
	Status         relay.EventStatus
	SignatureValid *bool
	From, To       time.Time // received from, and before
	IdempotencyKey string
	Since          relay.ID // only events that are newer
	// Q is an event's or a delivery's id, or a part of the event type or of
	// the body, or an idempotency key.
	Q string
}

func (f EventFilter) scope(project relay.ID) string { return "events/" + project.Hex() + jsonText(f) }

// index is the one that leaves the fewest events to look at.
func (f EventFilter) index() string {
	switch {
	case f.IdempotencyKey != "":
		return "events_key"
	case f.SignatureValid != nil && !*f.SignatureValid:
		return "events_invalid"
	case f.Status != "" && f.Status != relay.EventDelivered:
		return "events_status"
	case f.EventType != "":
		return "events_type"
	case !f.SourceID.IsZero():
		return "events_source"
	case f.Status != "":
		return "events_status"
	}
	return ""
}

// narrow adds the conditions of a filter but Q.
func (f EventFilter) narrow(q *bun.SelectQuery, project relay.ID) *bun.SelectQuery {
	q = q.Where("project_id = ?", project)
	if !f.SourceID.IsZero() {
		q = q.Where("source_id = ?", f.SourceID)
	}
	if f.EventType != "" {
		q = q.Where("event_type = ?", clean(f.EventType))
	}
	if f.Status != "" {
		q = q.Where("status = ?", clean(string(f.Status)))
	}
	if f.IdempotencyKey != "" {
		q = q.Where("idempotency_key = ?", clean(f.IdempotencyKey))
	}
	if f.SignatureValid != nil && *f.SignatureValid {
		q = q.Where("signature_valid")
	} else if f.SignatureValid != nil {
		q = q.Where("NOT signature_valid")
	}
	return within(q, "received_at", f.From, f.To, f.Since)
}

// within bounds a query to a time range and to what is newer than since. Ids
// begin with the time, give or take, which lets the index do most of it.
func within(q *bun.SelectQuery, column string, from, to time.Time, since relay.ID) *bun.SelectQuery {
	const slack = 2 * time.Second
	if !from.IsZero() {
		q = q.Where("id >= ?", idBound(from.Add(-slack))).Where("? >= ?", bun.Ident(column), from.UnixMicro())
	}
	if !to.IsZero() {
		q = q.Where("id < ?", idBound(to.Add(slack))).Where("? < ?", bun.Ident(column), to.UnixMicro())
	}
	if !since.IsZero() {
		q = q.Where("id > ?", since)
	}
	return q
}

// idBound is IDFloor as bytes: the floor of the beginning of time is the zero
// id, which would read as NULL.
func idBound(t time.Time) []byte {
	id := relay.IDFloor(t)
	return id[:]
}

// EventSlice is a page of events. A search through bodies stops after a while:
// then SearchedTo tells how far back it got, and Next goes on from there.
type EventSlice struct {
	Slice[relay.Event]
	SearchedTo time.Time
}

// Events lists a project's events, newest first.
func (s *Store) Events(ctx context.Context, project relay.ID, f EventFilter, p Page) (EventSlice, error) {
	if f.Q != "" {
		return s.searchEvents(ctx, project, f, p)
	}
	var rows []eventRow
	scope := f.scope(project)
	q, err := s.after(f.narrow(s.r.NewSelect().Model(&rows).ModelTableExpr(s.using("events", f.index())), project), p, scope)
	if err != nil {
		return EventSlice{}, err
	}
	if err := q.Scan(ctx); err != nil {
		return EventSlice{}, translate(err)
	}
	return EventSlice{Slice: slice(s, openEvents(rows), p, scope, eventID)}, nil
}

func eventID(e relay.Event) relay.ID { return e.ID }

// CountEvents counts a project's events, no further than max.
func (s *Store) CountEvents(ctx context.Context, project relay.ID, f EventFilter, max int) (int, error) {
	if f.Q != "" {
		found, _, err := s.walkEvents(ctx, project, f, relay.ID{}, max)
		if err != nil {
			return 0, err
		}
		named, err := s.eventByAnyID(ctx, project, f)
		for _, e := range named {
			if !slices.ContainsFunc(found, func(other relay.Event) bool { return other.ID == e.ID }) {
				found = append(found, e)
			}
		}
		return min(len(found), max), err
	}
	some := f.narrow(s.r.NewSelect().TableExpr(s.using("events", f.index())).ColumnExpr("1"), project).Limit(int64(max))
	return s.countOf(ctx, some)
}

func (s *Store) countOf(ctx context.Context, some *bun.SelectQuery) (int, error) {
	n, err := s.r.NewSelect().TableExpr("(?) AS capped", some).Count(ctx)
	return int(n), translate(err)
}

// EventsBeside are the next newer and the next older event of a project; zero
// where there is none.
func (s *Store) EventsBeside(ctx context.Context, project, id relay.ID) (newer, older relay.ID, err error) {
	for _, beside := range []struct {
		to        *relay.ID
		is, order string
	}{{&newer, "id > ?", "id"}, {&older, "id < ?", "id DESC"}} {
		var ids []relay.ID
		q := s.r.NewSelect().TableExpr(s.using("events", byKey)).Column("id").Where("project_id = ?", project).Where(beside.is, id)
		if err := q.OrderExpr(beside.order).Limit(1).Scan(ctx, &ids); err != nil {
			return newer, older, translate(err)
		}
		if len(ids) > 0 {
			*beside.to = ids[0]
		}
	}
	return newer, older, nil
}
