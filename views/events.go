package views

import (
	"net/url"

	"github.com/reprise-dev/reprise/relay"
)

// EventFilter is the selection of an event list, as it stands in the URL.
// Each field is the query parameter of the same name in the API.
type EventFilter struct {
	SourceID       string // source_id
	EventType      string // event_type
	Status         string // status
	SignatureValid string // signature_valid: "", "true", "false"
	From           string // from: RFC 3339, or what a datetime-local field sends (taken as UTC)
	To             string // to
	Q              string // q
	IdempotencyKey string // idempotency_key
}

// Values is the filter as query parameters, empty ones left out.
func (f EventFilter) Values() url.Values {
	return values("source_id", f.SourceID, "event_type", f.EventType, "status", f.Status,
		"signature_valid", f.SignatureValid, "from", f.From, "to", f.To, "q", f.Q,
		"idempotency_key", f.IdempotencyKey)
}

// EventsModel lists events.
type EventsModel struct {
	Frame
	Filter  EventFilter
	Errors  map[string]string // faults of the filter, by parameter; Rows is then empty
	Sources []SourceRef       // to filter by
	Types   []string          // known event types, to suggest; may be nil
	Rows    []EventRow
	Pager   Pager
	Ever    bool   // the project has received an event at some time
	CurlURL string // an ingest URL for the first-run line; empty: there is no source yet
}

// EventRow is one event in a list.
type EventRow struct {
	Event      *relay.Event
	Source     SourceRef
	Deliveries int // newest ones only: to how many endpoints it went
	Delivered  int // of Deliveries
}

// LiveModel is the bar above a list that says how many rows came since the
// page was drawn. The list page asks for it every few seconds: the same path
// and filter with since=<id of its newest row>, and an HX-Request header.
type LiveModel struct {
	Path   string     // "/events" or "/deliveries"
	Filter url.Values // EventFilter.Values or DeliveryFilter.Values
	Since  string     // prefixed id of the newest row that is shown
	Count  int
	Capped bool // there are more than Count
}

// EventModel is one event with everything that was made of it.
type EventModel struct {
	Frame
	Event         *relay.Event
	Payload       *relay.Payload
	Source        SourceRef
	IngestURL     string          // of the source, absolute; empty: it has none
	Routes        []RouteRow      // every endpoint that was considered when it came in
	Deliveries    []EventDelivery // newest first
	Targets       []ReplayTarget  // every endpoint that a replay can choose
	NotReplayable string          // why it cannot be replayed, a sentence; empty: it can
	NewerID       relay.ID        // the event before and after it in the list, zero: none
	OlderID       relay.ID
}

// RouteRow is why one endpoint got an event, or why not.
type RouteRow struct {
	Endpoint EndpointRef
	Reason   relay.RouteReason
}

// EventDelivery is a delivery of the event on show, with what was tried.
type EventDelivery struct {
	Delivery *relay.Delivery
	Endpoint EndpointRef
	Attempts []*relay.Attempt // oldest first
}

// ReplayTarget is an endpoint that an event can be replayed to.
type ReplayTarget struct {
	Endpoint   EndpointRef
	MatchesNow bool                 // its subscription takes the event as it stands
	Newest     relay.DeliveryStatus // of the event to this endpoint; empty: it never went there
}

// NoReplay is why an event cannot be replayed; empty: it can.
func NoReplay(ev *relay.Event) string {
	switch ev.Status {
	case relay.EventRejected:
		return "Its signature was not valid, so it is kept only to be looked at."
	case relay.EventDuplicate:
		return "It repeats an earlier event with the same idempotency key. Replay that one."
	}
	return ""
}
