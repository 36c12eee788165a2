package handlers

import (
	"encoding/base64"
	"encoding/json"
	"unicode/utf8"

	"github.com/reprise-dev/reprise/relay"
)

// eventOut is an event as lists show it.
type eventOut struct {
	ID             string            `json:"id"`
	ProjectID      string            `json:"project_id"`
	SourceID       *string           `json:"source_id"`
	EventType      string            `json:"event_type"`
	Status         relay.EventStatus `json:"status"`
	SignatureValid bool              `json:"signature_valid"`
	Verdict        relay.Verdict     `json:"verdict"`
	ContentType    *string           `json:"content_type"`
	Size           int               `json:"size"`
	IdempotencyKey *string           `json:"idempotency_key"`
	IsDuplicate    bool              `json:"is_duplicate"`
	DuplicateOf    *string           `json:"duplicate_of"`
	IsTest         bool              `json:"is_test"`
	ReceivedAt     *string           `json:"received_at"`
}

// eventDetail adds what came in.
type eventDetail struct {
	eventOut
	Method       string          `json:"method"`
	Path         string          `json:"path"` // behind the source's slug; empty: nothing
	Headers      json.RawMessage `json:"headers"`
	Query        string          `json:"query"`
	Body         string          `json:"body"`
	BodyEncoding string          `json:"body_encoding"` // text or base64
	Routing      []routeOut      `json:"routing"`
}

type routeOut struct {
	EndpointID   string  `json:"endpoint_id"`
	EndpointName *string `json:"endpoint_name"`
	Matched      bool    `json:"matched"`
	Reason       string  `json:"reason"`
}

// idOrNull is an id with its prefix; the zero id is null.
func idOrNull(p relay.Prefix, id relay.ID) *string { return textOrNull(p.Format(id)) }

func eventShape(ev *relay.Event) eventOut {
	return eventOut{
		ID: relay.PrefixEvent.Format(ev.ID), ProjectID: relay.PrefixProject.Format(ev.ProjectID),
		SourceID: idOrNull(relay.PrefixSource, ev.SourceID), EventType: ev.EventType, Status: ev.Status,
		SignatureValid: ev.SignatureValid, Verdict: ev.Verdict, ContentType: textOrNull(ev.ContentType), Size: ev.Size,
		IdempotencyKey: textOrNull(ev.IdempotencyKey), IsDuplicate: ev.Status == relay.EventDuplicate,
		DuplicateOf: idOrNull(relay.PrefixEvent, ev.DuplicateOf), IsTest: ev.IsTest, ReceivedAt: timeOrNull(ev.ReceivedAt),
	}
}

func (a *App) eventDetail(ev *relay.Event, p *relay.Payload) eventDetail {
	config := a.store.Config()
	out := eventDetail{
		eventOut: eventShape(ev), Method: p.Method, Path: p.Path, Query: p.Query,
		Headers: headerMap(p.Headers), Routing: []routeOut{},
	}
	out.Body, out.BodyEncoding = bodyText(p.Body)
	for _, r := range p.Routing {
		route := routeOut{
			EndpointID: relay.PrefixEndpoint.Format(r.EndpointID), Reason: r.Reason.String(),
			Matched: r.Reason == relay.RouteMatched || r.Reason == relay.RoutePaused,
		}
		if e, ok := config.Endpoint(r.EndpointID); ok {
			route.EndpointName = &e.Name
		}
		out.Routing = append(out.Routing, route)
	}
	return out
}

// bodyText is a body as a JSON string that loses nothing.
func bodyText(body []byte) (text, encoding string) {
	if utf8.Valid(body) {
		return string(body), "text"
	}
	return base64.StdEncoding.EncodeToString(body), "base64"
}
