package lists

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// EventRow is an event as it is stored.
type EventRow struct {
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

// Open makes the event of it.
func (r *EventRow) Open() relay.Event {
	return relay.Event{ID: r.ID, ProjectID: r.ProjectID, SourceID: r.SourceID, EventType: r.EventType,
		Status: relay.EventStatus(r.Status), SignatureValid: r.SignatureValid, Verdict: relay.Verdict(r.Verdict),
		IdempotencyKey: r.IdempotencyKey, DuplicateOf: r.DuplicateOf, IsTest: r.IsTest, ContentType: r.ContentType,
		Size: r.Size, ReceivedAt: sqldb.FromMicros(r.ReceivedAt)}
}

func openEvents(rows []EventRow) []relay.Event {
	out := make([]relay.Event, len(rows))
	for i := range rows {
		out[i] = rows[i].Open()
	}
	return out
}

// Event finds an event of a project.
func (s *Store) Event(ctx context.Context, project, id relay.ID) (relay.Event, error) {
	var row EventRow
	err := s.R.NewSelect().Model(&row).Where("project_id = ? AND id = ?", project, id).Scan(ctx)
	return row.Open(), sqldb.Translate(err)
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

func (f EventFilter) scope(project relay.ID) string {
	return "events/" + project.Hex() + sqldb.JSONText(f)
}

// Index is the one that leaves the fewest events to look at.
func (f EventFilter) Index() string {
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

// Narrow adds the conditions of a filter but Q.
func (f EventFilter) Narrow(q *bun.SelectQuery, project relay.ID) *bun.SelectQuery {
	q = q.Where("project_id = ?", project)
	if !f.SourceID.IsZero() {
		q = q.Where("source_id = ?", f.SourceID)
	}
	if f.EventType != "" {
		q = q.Where("event_type = ?", sqldb.Clean(f.EventType))
	}
	if f.Status != "" {
		q = q.Where("status = ?", sqldb.Clean(string(f.Status)))
	}
	if f.IdempotencyKey != "" {
		q = q.Where("idempotency_key = ?", sqldb.Clean(f.IdempotencyKey))
	}
	if f.SignatureValid != nil && *f.SignatureValid {
		q = q.Where("signature_valid")
	} else if f.SignatureValid != nil {
		q = q.Where("NOT signature_valid")
	}
	return sqldb.Within(q, "received_at", f.From, f.To, f.Since)
}

// EventSlice is a page of events. A search through bodies stops after a while:
// then SearchedTo tells how far back it got, and Next goes on from there.
type EventSlice struct {
	sqldb.Slice[relay.Event]
	SearchedTo time.Time
}

// Events lists a project's events, newest first.
func (s *Store) Events(ctx context.Context, project relay.ID, f EventFilter, p sqldb.Page) (EventSlice, error) {
	if f.Q != "" {
		return s.searchEvents(ctx, project, f, p)
	}
	var rows []EventRow
	scope := f.scope(project)
	q, err := s.After(f.Narrow(s.R.NewSelect().Model(&rows).ModelTableExpr(s.Using("events", f.Index())), project), p, scope)
	if err != nil {
		return EventSlice{}, err
	}
	if err := q.Scan(ctx); err != nil {
		return EventSlice{}, sqldb.Translate(err)
	}
	return EventSlice{Slice: sqldb.SliceOf(s.DB, openEvents(rows), p, scope, eventID)}, nil
}

func eventID(e relay.Event) relay.ID { return e.ID }

// CountEvents counts a project's events, no further than max.
func (s *Store) CountEvents(ctx context.Context, project relay.ID, f EventFilter, max int) (int, error) {
	if f.Q != "" {
		found, _, err := s.walkEvents(ctx, project, f, relay.ID{}, max)
		if err != nil {
			return 0, err
		}
		named, err := s.EventByAnyID(ctx, project, f)
		for _, e := range named {
			if !slices.ContainsFunc(found, func(other relay.Event) bool { return other.ID == e.ID }) {
				found = append(found, e)
			}
		}
		return min(len(found), max), err
	}
	some := f.Narrow(s.R.NewSelect().TableExpr(s.Using("events", f.Index())).ColumnExpr("1"), project).Limit(int64(max))
	return s.CountOf(ctx, some)
}

// EventsBeside are the next newer and the next older event of a project; zero
// where there is none.
func (s *Store) EventsBeside(ctx context.Context, project, id relay.ID) (newer, older relay.ID, err error) {
	for _, beside := range []struct {
		to        *relay.ID
		is, order string
	}{{&newer, "id > ?", "id"}, {&older, "id < ?", "id DESC"}} {
		var ids []relay.ID
		q := s.R.NewSelect().TableExpr(s.Using("events", sqldb.ByKey)).Column("id").Where("project_id = ?", project).Where(beside.is, id)
		if err := q.OrderExpr(beside.order).Limit(1).Scan(ctx, &ids); err != nil {
			return newer, older, sqldb.Translate(err)
		}
		if len(ids) > 0 {
			*beside.to = ids[0]
		}
	}
	return newer, older, nil
}
