package lists

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// DeliveryRow is a delivery as it is stored.
type DeliveryRow struct {
	bun.BaseModel       `bun:"table:deliveries,alias:deliveries"`
	ID                  relay.ID `bun:",pk"`
	ProjectID           relay.ID
	EventID             relay.ID
	EndpointID          relay.ID
	SourceID            relay.ID
	EventType           string
	Status              string
	Lane                int
	Attempts            int
	DueAt               int64
	Fence               int64
	LeaseUntil          int64
	LastResponseStatus  int
	LastResponseExcerpt string
	LastError           string
	DeliveredAt         int64
	EventTrigger        string
	ReplayID            relay.ID
	ReplayOf            relay.ID
	ReplayedBy          relay.ID
	DiscardReason       string
	CreatedAt           int64
}

// Open makes the delivery of it.
func (r *DeliveryRow) Open() relay.Delivery {
	return relay.Delivery{ID: r.ID, ProjectID: r.ProjectID, EventID: r.EventID, EndpointID: r.EndpointID, SourceID: r.SourceID,
		EventType: r.EventType, Status: relay.DeliveryStatus(r.Status), Lane: relay.Lane(r.Lane), Attempts: r.Attempts,
		NextAttemptAt: sqldb.FromMicros(r.DueAt), InFlight: r.LeaseUntil != 0, LastResponseStatus: r.LastResponseStatus,
		LastResponseExcerpt: r.LastResponseExcerpt, LastError: r.LastError, DeliveredAt: sqldb.FromMicros(r.DeliveredAt),
		Trigger: relay.Trigger(r.EventTrigger), ReplayID: r.ReplayID, ReplayOf: r.ReplayOf, ReplayedBy: r.ReplayedBy,
		DiscardReason: r.DiscardReason, CreatedAt: sqldb.FromMicros(r.CreatedAt)}
}

func openDeliveries(rows []DeliveryRow) []relay.Delivery {
	out := make([]relay.Delivery, len(rows))
	for i := range rows {
		out[i] = rows[i].Open()
	}
	return out
}

// Delivery finds a delivery of a project.
func (s *Store) Delivery(ctx context.Context, project, id relay.ID) (relay.Delivery, error) {
	var row DeliveryRow
	err := s.R.NewSelect().Model(&row).Where("project_id = ? AND id = ?", project, id).Scan(ctx)
	return row.Open(), sqldb.Translate(err)
}

// DeliveryFilter narrows a list of deliveries. Zero values do not.
type DeliveryFilter struct {
	EndpointID relay.ID
	EventID    relay.ID
	ReplayID   relay.ID
	SourceID   relay.ID
	EventType  string
	Status     relay.DeliveryStatus
	Cause      string    // of what failed, see relay.Cause
	From, To   time.Time // made from, and before
	NewestOnly bool      // leave out those that were replayed since
	Since      relay.ID  // only deliveries that are newer
}

func (f DeliveryFilter) scope(project relay.ID) string {
	return "deliveries/" + project.Hex() + sqldb.JSONText(f)
}

// Index is the one that leaves the fewest deliveries to look at.
func (f DeliveryFilter) Index() string {
	switch {
	case !f.EventID.IsZero():
		return "deliveries_event"
	case !f.ReplayID.IsZero():
		return "deliveries_replay_list"
	case f.NewestOnly && f.Status == relay.DeliveryDLQ && !f.EndpointID.IsZero():
		return "deliveries_dead_endpoint"
	case f.NewestOnly && f.Status == relay.DeliveryDLQ:
		return "deliveries_dead"
	case f.Status != "" && f.Status != relay.DeliveryDelivered:
		return "deliveries_status"
	case !f.EndpointID.IsZero():
		return "deliveries_endpoint"
	case f.EventType != "":
		return "deliveries_type"
	case !f.SourceID.IsZero():
		return "deliveries_source"
	case f.Status != "":
		return "deliveries_status"
	}
	return ""
}

// Narrow bounds a query of a project's deliveries.
func (f DeliveryFilter) Narrow(q *bun.SelectQuery, project relay.ID) *bun.SelectQuery {
	q = q.Where("project_id = ?", project)
	for _, id := range []struct {
		column string
		value  relay.ID
	}{{"endpoint_id", f.EndpointID}, {"event_id", f.EventID}, {"replay_id", f.ReplayID}, {"source_id", f.SourceID}} {
		if !id.value.IsZero() {
			q = q.Where("? = ?", bun.Ident(id.column), id.value)
		}
	}
	if f.EventType != "" {
		q = q.Where("event_type = ?", sqldb.Clean(f.EventType))
	}
	switch f.Status {
	case "":
	case relay.DeliveryDLQ: // spelled out for the indexes of dead letters
		q = q.Where("status = 'dlq'")
	default:
		q = q.Where("status = ?", sqldb.Clean(string(f.Status)))
	}
	if f.Cause != "" {
		q = q.Where("cause = ?", sqldb.Clean(f.Cause))
	}
	if f.NewestOnly {
		q = q.Where("replayed_by IS NULL")
	}
	return sqldb.Within(q, "created_at", f.From, f.To, f.Since)
}

// Deliveries lists a project's deliveries, newest first.
func (s *Store) Deliveries(ctx context.Context, project relay.ID, f DeliveryFilter, p sqldb.Page) (sqldb.Slice[relay.Delivery], error) {
	var rows []DeliveryRow
	scope := f.scope(project)
	q, err := s.After(f.Narrow(s.R.NewSelect().Model(&rows).ModelTableExpr(s.Using("deliveries", f.Index())), project), p, scope)
	if err != nil {
		return sqldb.Slice[relay.Delivery]{}, err
	}
	if err := q.Scan(ctx); err != nil {
		return sqldb.Slice[relay.Delivery]{}, sqldb.Translate(err)
	}
	return sqldb.SliceOf(s.DB, openDeliveries(rows), p, scope, func(d relay.Delivery) relay.ID { return d.ID }), nil
}

// CountDeliveries counts a project's deliveries, no further than max.
func (s *Store) CountDeliveries(ctx context.Context, project relay.ID, f DeliveryFilter, max int) (int, error) {
	return s.CountOf(ctx, f.Narrow(s.R.NewSelect().TableExpr(s.Using("deliveries", f.Index())).ColumnExpr("1"), project).Limit(int64(max)))
}

// DeliveriesOfEvents reads the deliveries of each event, oldest first.
func (s *Store) DeliveriesOfEvents(ctx context.Context, events []relay.ID) (map[relay.ID][]relay.Delivery, error) {
	out := make(map[relay.ID][]relay.Delivery, len(events))
	if len(events) == 0 {
		return out, nil
	}
	var rows []DeliveryRow
	if err := s.R.NewSelect().Model(&rows).Where("event_id IN (?)", bun.List(events)).Scan(ctx); err != nil {
		return nil, sqldb.Translate(err)
	}
	slices.SortFunc(rows, func(a, b DeliveryRow) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for i := range rows {
		out[rows[i].EventID] = append(out[rows[i].EventID], rows[i].Open())
	}
	return out, nil
}
