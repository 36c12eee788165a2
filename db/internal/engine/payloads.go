package engine

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// PayloadRow is what came in with an event, as it is stored.
type PayloadRow struct {
	bun.BaseModel `bun:"table:payloads,alias:payloads"`
	EventID       relay.ID `bun:",pk"`
	ProjectID     relay.ID
	Method        string
	Path          []byte
	Query         []byte
	IP            string
	Headers       []byte
	Routing       []byte
	Body          []byte
}

func (r *PayloadRow) open(b *sqldb.Box) (relay.Payload, error) {
	p := relay.Payload{Method: r.Method, Path: string(r.Path), Query: string(r.Query), IP: r.IP, Body: r.Body}
	var err error
	if p.Headers, p.Credentials, err = b.OpenHeaders(r.EventID, r.Headers); err != nil {
		return p, err
	}
	p.Routing, err = relay.DecodeRoutes(r.Routing)
	return p, err
}

// Payload reads what came in with an event, of whichever project: callers
// have read the event before.
func (s *Store) Payload(ctx context.Context, event relay.ID) (relay.Payload, error) {
	var row PayloadRow
	if err := s.R.NewSelect().Model(&row).Where("event_id = ?", event).Scan(ctx); err != nil {
		return relay.Payload{}, sqldb.Translate(err)
	}
	return row.open(s.Box)
}

// EventPayload is an event with its payload.
type EventPayload struct {
	Event   relay.Event
	Payload relay.Payload
}

// PayloadsOf reads events of any project with their payloads, for workers.
// Ids that do not exist are left out.
func (s *Store) PayloadsOf(ctx context.Context, ids []relay.ID) (map[relay.ID]EventPayload, error) {
	out := make(map[relay.ID]EventPayload, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	var payloads []PayloadRow
	if err := s.R.NewSelect().Model(&payloads).Where("event_id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return nil, sqldb.Translate(err)
	}
	byProject := map[relay.ID][]relay.ID{}
	for i := range payloads {
		byProject[payloads[i].ProjectID] = append(byProject[payloads[i].ProjectID], payloads[i].EventID)
	}
	events := map[relay.ID]relay.Event{}
	for project, ids := range byProject {
		var rows []lists.EventRow
		err := s.R.NewSelect().Model(&rows).Where("project_id = ? AND id IN (?)", project, bun.List(ids)).Scan(ctx)
		if err != nil {
			return nil, sqldb.Translate(err)
		}
		for i := range rows {
			events[rows[i].ID] = rows[i].Open()
		}
	}
	for i := range payloads {
		event, ok := events[payloads[i].EventID]
		if !ok {
			continue
		}
		payload, err := payloads[i].open(s.Box)
		if err != nil {
			return nil, err
		}
		out[event.ID] = EventPayload{event, payload}
	}
	return out, nil
}
