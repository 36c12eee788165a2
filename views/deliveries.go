package views

import (
	"net/url"

	"github.com/reprise-dev/reprise/relay"
)

// DeliveryFilter is the selection of a delivery list, as it stands in the URL.
// Each field is the query parameter of the same name in the API.
type DeliveryFilter struct {
	EndpointID string // endpoint_id
	EventID    string // event_id
	ReplayID   string // replay_id
	EventType  string // event_type
	Status     string // status; "failed" means dlq
	Cause      string // cause: the fingerprint of a failure
	From       string // from: RFC 3339, or what a datetime-local field sends (taken as UTC)
	To         string // to
}

// Values is the filter as query parameters, empty ones left out.
func (f DeliveryFilter) Values() url.Values {
	return values("endpoint_id", f.EndpointID, "event_id", f.EventID, "replay_id", f.ReplayID,
		"event_type", f.EventType, "status", f.Status, "cause", f.Cause, "from", f.From, "to", f.To)
}

// DeliveriesModel lists deliveries.
type DeliveriesModel struct {
	Frame
	Filter    DeliveryFilter
	Errors    map[string]string // faults of the filter, by parameter; Rows is then empty
	Endpoints []EndpointRef     // to filter by
	Types     []string          // known event types, to suggest; may be nil
	Rows      []DeliveryRow
	Pager     Pager
	Ever      bool   // the project has made a delivery at some time
	CurlURL   string // an ingest URL for the first-run line; empty: there is no source yet
}

// DeliveryRow is one delivery in a list.
type DeliveryRow struct {
	Delivery *relay.Delivery
	Endpoint EndpointRef
}

// DeliveryModel is one delivery with every attempt ever made for it.
type DeliveryModel struct {
	Frame
	Delivery *relay.Delivery
	Event    *relay.Event
	Payload  *relay.Payload // for the size and curl line; may be nil after retention
	Source   SourceRef
	Endpoint EndpointRef
	Attempts []*relay.Attempt  // oldest first, of every cycle
	Lineage  []*relay.Delivery // of this event to this endpoint, oldest first, with this one
	Replay   *Replay           // the job that made it; nil: none did
	// ReplayedBy is who made it without a job; empty: nobody, or nobody knows.
	ReplayedBy string
	// Why an action cannot be taken now, a sentence each; empty: it can.
	NoRetry   string
	NoReplay  string
	NoDiscard string
}
