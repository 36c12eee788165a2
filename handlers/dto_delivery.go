package handlers

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

type deliveryOut struct {
	ID                  string               `json:"id"`
	WebhookID           string               `json:"webhook_id"`
	EndpointID          string               `json:"endpoint_id"`
	EventID             string               `json:"event_id"`
	SourceID            *string              `json:"source_id"`
	EventType           string               `json:"event_type"`
	Status              relay.DeliveryStatus `json:"status"`
	Attempts            int                  `json:"attempts"`
	NextAttemptAt       *string              `json:"next_attempt_at"`
	LastResponseStatus  *int                 `json:"last_response_status"`
	LastResponseExcerpt *string              `json:"last_response_excerpt"`
	LastError           *string              `json:"last_error"`
	DeliveredAt         *string              `json:"delivered_at"`
	CreatedAt           *string              `json:"created_at"`
	Trigger             relay.Trigger        `json:"trigger"`
	ReplayID            *string              `json:"replay_id"`
	ReplayOf            *string              `json:"replay_of"`
	ReplayedBy          *string              `json:"replayed_by"`
	DiscardReason       *string              `json:"discard_reason"`
}

func deliveryShape(d *relay.Delivery) deliveryOut {
	out := deliveryOut{
		ID: relay.PrefixDelivery.Format(d.ID), WebhookID: relay.PrefixEndpoint.Format(d.EndpointID),
		EndpointID: relay.PrefixEndpoint.Format(d.EndpointID), EventID: relay.PrefixEvent.Format(d.EventID),
		SourceID: idOrNull(relay.PrefixSource, d.SourceID), EventType: d.EventType, Status: d.Status, Attempts: d.Attempts,
		NextAttemptAt: timeOrNull(d.NextAttemptAt), LastResponseStatus: numberOrNull(d.LastResponseStatus),
		LastError: textOrNull(d.LastError), DeliveredAt: timeOrNull(d.DeliveredAt), CreatedAt: timeOrNull(d.CreatedAt),
		Trigger: d.Trigger, ReplayID: idOrNull(relay.PrefixReplay, d.ReplayID), ReplayOf: idOrNull(relay.PrefixDelivery, d.ReplayOf),
		ReplayedBy: idOrNull(relay.PrefixDelivery, d.ReplayedBy), DiscardReason: textOrNull(d.DiscardReason),
	}
	if d.LastResponseStatus != 0 {
		out.LastResponseExcerpt = &d.LastResponseExcerpt
	}
	return out
}

// deliveryDetail adds every attempt that was ever made, oldest first.
type deliveryDetail struct {
	deliveryOut
	AttemptLog []attemptOut `json:"attempt_log"`
}

type attemptOut struct {
	ID              string          `json:"id"`
	Number          int             `json:"number"` // in its cycle
	Outcome         relay.Outcome   `json:"outcome"`
	StartedAt       *string         `json:"started_at"`
	DurationMS      float64         `json:"duration_ms"`
	URL             string          `json:"url"`
	RequestHeaders  json.RawMessage `json:"request_headers"`
	Status          *int            `json:"status"`
	ResponseHeaders json.RawMessage `json:"response_headers"`
	ResponseExcerpt *string         `json:"response_excerpt"`
	Truncated       bool            `json:"truncated"`
	Error           *string         `json:"error"`
}

func attemptShape(at *relay.Attempt) attemptOut {
	out := attemptOut{
		ID: relay.PrefixAttempt.Format(at.ID), Number: at.Number, Outcome: at.Outcome, StartedAt: timeOrNull(at.StartedAt),
		DurationMS: float64(at.Duration.Microseconds()) / float64(time.Millisecond/time.Microsecond), URL: at.URL,
		RequestHeaders: headerMap(relay.RedactHeaders(at.RequestHeaders)), Status: numberOrNull(at.ResponseStatus),
		ResponseHeaders: headerMap(relay.RedactHeaders(at.ResponseHeaders)), Truncated: at.Truncated, Error: textOrNull(at.Error),
	}
	if at.ResponseStatus != 0 {
		excerpt := strings.ToValidUTF8(string(at.ResponseBody), "\uFFFD")
		out.ResponseExcerpt = &excerpt
	}
	return out
}
