package db

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

type payloadRow struct {
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

func (r *payloadRow) open(b *box) (relay.Payload, error) {
	p := relay.Payload{Method: r.Method, Path: string(r.Path), Query: string(r.Query), IP: r.IP, Body: r.Body}
	var err error
	if p.Headers, p.Credentials, err = b.openHeaders(r.EventID, r.Headers); err != nil {
		return p, err
	}
	p.Routing, err = relay.DecodeRoutes(r.Routing)
	return p, err
}

// Payload reads what came in with an event, of whichever project: callers
// have read the event before.
func (s *Store) Payload(ctx context.Context, event relay.ID) (relay.Payload, error) {
	var row payloadRow
	if err := s.r.NewSelect().Model(&row).Where("event_id = ?", event).Scan(ctx); err != nil {
		return relay.Payload{}, translate(err)
	}
	return row.open(s.box)
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
	var payloads []payloadRow
	if err := s.r.NewSelect().Model(&payloads).Where("event_id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return nil, translate(err)
	}
	byProject := map[relay.ID][]relay.ID{}
	for i := range payloads {
		byProject[payloads[i].ProjectID] = append(byProject[payloads[i].ProjectID], payloads[i].EventID)
	}
	events := map[relay.ID]relay.Event{}
	for project, ids := range byProject {
		var rows []eventRow
		err := s.r.NewSelect().Model(&rows).Where("project_id = ? AND id IN (?)", project, bun.List(ids)).Scan(ctx)
		if err != nil {
			return nil, translate(err)
		}
		for i := range rows {
			events[rows[i].ID] = rows[i].open()
		}
	}
	for i := range payloads {
		event, ok := events[payloads[i].EventID]
		if !ok {
			continue
		}
		payload, err := payloads[i].open(s.box)
		if err != nil {
			return nil, err
		}
		out[event.ID] = EventPayload{event, payload}
	}
	return out, nil
}
