package relay

import "time"

// EventStatus is the sum of an event's newest delivery to each endpoint.
type EventStatus string

// The states of an event.
const (
	EventReceived   EventStatus = "received"
	EventForwarding EventStatus = "forwarding" // a delivery of it is not final
	EventDelivered  EventStatus = "delivered"
	EventFailed     EventStatus = "failed"    // all final, at least one a dead letter
	EventUnmatched  EventStatus = "unmatched" // no endpoint wanted it
	EventRejected   EventStatus = "rejected"  // its signature was not valid
	EventDuplicate  EventStatus = "duplicate" // its idempotency key was seen before
)

// Event is one request that a source received. All but Status is immutable.
type Event struct {
	ID             ID
	ProjectID      ID
	SourceID       ID
	EventType      string
	Status         EventStatus
	SignatureValid bool
	Verdict        Verdict
	IdempotencyKey string // empty: none
	DuplicateOf    ID     // the first event with this key
	IsTest         bool
	ContentType    string
	Size           int // of the body, bytes
	ReceivedAt     time.Time
}

// Payload is the part of an event that lists do not read: what came in, byte
// for byte.
type Payload struct {
	Method  string
	Path    string // what followed the source's slug, as it came: "/eu/orders"
	Query   string // raw
	IP      string
	Headers Headers
	// Credentials names the headers that carried the source's own secret when
	// the request came in.
	Credentials []string
	Body        []byte
	Routing     []Route
}

// Route tells why an endpoint got an event, or why not.
type Route struct {
	EndpointID ID
	Reason     RouteReason
}

// RouteReason is one cause for an endpoint to get an event or not.
type RouteReason byte

// The reasons of routing. The numbers are stored.
const (
	RouteMatched  RouteReason = 1
	RoutePaused   RouteReason = 2 // matched; waits until the endpoint is resumed
	RouteDisabled RouteReason = 3
	RouteSource   RouteReason = 4 // not subscribed to the source
	RouteFilter   RouteReason = 5 // the event filter does not take the type
)

// Verdict is the outcome of verifying a request.
type Verdict string

// The outcomes of verification.
const (
	VerdictValid           Verdict = "valid"
	VerdictUnverified      Verdict = "unverified" // the source checks nothing; counts as valid
	VerdictMissingHeader   Verdict = "missing_header"
	VerdictMalformedHeader Verdict = "malformed_header"
	VerdictBadSignature    Verdict = "bad_signature"
	VerdictStaleTimestamp  Verdict = "stale_timestamp"
	VerdictFutureTimestamp Verdict = "future_timestamp"
	VerdictUsedToken       Verdict = "used_token" // the token of another request, sent again
	VerdictNoSecret        Verdict = "no_secret"
	VerdictUnknownVerifier Verdict = "unknown_verifier"
)

// OK reports whether the request may be delivered.
func (v Verdict) OK() bool { return v == VerdictValid || v == VerdictUnverified }
