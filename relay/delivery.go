package relay

import "time"

// DeliveryStatus is the state of one delivery.
type DeliveryStatus string

// The states of a delivery; see doc.go for the drawing.
const (
	DeliveryPending   DeliveryStatus = "pending"
	DeliveryRetrying  DeliveryStatus = "retrying"
	DeliveryDelivered DeliveryStatus = "delivered"
	DeliveryDLQ       DeliveryStatus = "dlq"
	DeliveryDiscarded DeliveryStatus = "discarded"
)

// Final reports whether nothing more happens to a delivery by itself.
func (s DeliveryStatus) Final() bool {
	return s == DeliveryDelivered || s == DeliveryDLQ || s == DeliveryDiscarded
}

// Trigger is what made a delivery.
type Trigger string

// What makes deliveries.
const (
	TriggerIngest Trigger = "ingest"
	TriggerReplay Trigger = "replay"
	TriggerTest   Trigger = "test"
)

// Lane orders the work for one endpoint: a lower lane goes first.
type Lane int

// The lanes of the dispatcher.
const (
	LaneLive   Lane = 0
	LaneRetry  Lane = 1
	LaneReplay Lane = 2
)

// Delivery is the intention to bring one event to one endpoint.
type Delivery struct {
	ID                  ID
	ProjectID           ID
	EventID             ID
	EndpointID          ID
	SourceID            ID
	EventType           string
	Status              DeliveryStatus
	Lane                Lane
	Attempts            int       // in the present cycle
	NextAttemptAt       time.Time // zero: none is due (final, or being sent now)
	InFlight            bool
	LastResponseStatus  int    // 0: no answer yet
	LastResponseExcerpt string // of the newest answer
	LastError           string
	DeliveredAt         time.Time // zero: not delivered
	Trigger             Trigger
	ReplayID            ID // the replay job that made it
	ReplayOf            ID // the delivery that it replays
	ReplayedBy          ID // the newer delivery of the same event to the same endpoint
	DiscardReason       string
	CreatedAt           time.Time
}

// Attempt is one HTTP request made for a delivery. It never changes.
type Attempt struct {
	ID              ID
	ProjectID       ID
	DeliveryID      ID
	EventID         ID
	EndpointID      ID
	Number          int // in its cycle, from 1
	Outcome         Outcome
	StartedAt       time.Time
	Duration        time.Duration
	URL             string
	RequestHeaders  Headers // secrets masked
	ResponseStatus  int     // 0: no answer
	ResponseHeaders Headers
	ResponseBody    []byte // the first 16 KiB at most
	Truncated       bool   // there was more than ResponseBody holds
	Error           string // a sentence for people; empty on success
}

// Outcome classifies an attempt.
type Outcome string

// The outcomes of an attempt.
const (
	OutcomeSuccess     Outcome = "success"
	OutcomeStatus      Outcome = "http_status" // an answer, but not 2xx
	OutcomeRedirect    Outcome = "redirect"    // 3xx: never followed
	OutcomeGone        Outcome = "gone"        // 410: the endpoint is paused
	OutcomeTimeout     Outcome = "timeout"
	OutcomeDNS         Outcome = "dns"
	OutcomeConnect     Outcome = "connect" // refused, unreachable
	OutcomeReset       Outcome = "reset"   // closed before an answer
	OutcomeTLS         Outcome = "tls"
	OutcomeBlocked     Outcome = "blocked"        // not a public address
	OutcomeProtocol    Outcome = "protocol"       // not an HTTP answer that can be used
	OutcomeInterrupted Outcome = "interrupted"    // the process stopped: nobody knows
	OutcomeInternal    Outcome = "internal_error" // ours
)
