package relay

import (
	"slices"
	"time"
)

// ReplayStatus is the state of a replay job.
type ReplayStatus string

// The states of a replay job; see doc.go for the drawing.
const (
	ReplayPlanning  ReplayStatus = "planning" // is being counted
	ReplayPlanned   ReplayStatus = "planned"  // counted and frozen; nothing is sent
	ReplayRunning   ReplayStatus = "running"
	ReplayPaused    ReplayStatus = "paused"
	ReplayCompleted ReplayStatus = "completed"
	ReplayFailed    ReplayStatus = "failed" // the job itself could not go on as planned
	ReplayCancelled ReplayStatus = "cancelled"
)

var replayMoves = map[ReplayStatus][]ReplayStatus{
	ReplayPlanning:  {ReplayPlanned, ReplayRunning, ReplayCancelled},
	ReplayPlanned:   {ReplayRunning, ReplayCancelled},
	ReplayRunning:   {ReplayPaused, ReplayCompleted, ReplayFailed, ReplayCancelled},
	ReplayPaused:    {ReplayRunning, ReplayCancelled},
	ReplayCompleted: {},
	ReplayFailed:    {},
	ReplayCancelled: {},
}

// CanBecome reports whether a job may go from s to next.
func (s ReplayStatus) CanBecome(next ReplayStatus) bool {
	return slices.Contains(replayMoves[s], next)
}

// Known reports whether s is a status of replay jobs.
func (s ReplayStatus) Known() bool {
	_, ok := replayMoves[s]
	return ok
}

// Final reports whether nothing more happens to a job.
func (s ReplayStatus) Final() bool {
	return s == ReplayCompleted || s == ReplayFailed || s == ReplayCancelled
}

// Selection says which past events a job replays. It selects either events, or
// deliveries (see OfDeliveries): then From and To are when the deliveries were
// made, and each is replayed to its own endpoint unless the job names others.
// Conditions add up; zero values do not narrow. Events that are not verified,
// duplicates and test events are never replayed.
type Selection struct {
	From       time.Time   `json:"from,omitzero"`
	To         time.Time   `json:"to,omitzero"` // exclusive
	SourceID   ID          `json:"source_id,omitzero"`
	EventType  string      `json:"event_type,omitempty"`  // just this type, as in the lists
	EventTypes []string    `json:"event_types,omitempty"` // types or patterns as in an event filter
	Status     EventStatus `json:"status,omitempty"`
	Q          string      `json:"q,omitempty"` // as in the list of events
	EventIDs   []ID        `json:"event_ids,omitempty"`
	// Named is how many events or deliveries were named by their ids, which
	// a stored job does not list again.
	Named int `json:"named,omitempty"`

	DeliveryIDs        []ID           `json:"delivery_ids,omitempty"`
	DeliveryStatus     DeliveryStatus `json:"delivery_status,omitempty"`
	NewestOnly         bool           `json:"newest_only,omitempty"` // leave out deliveries that were replayed since
	DeliveryEndpointID ID             `json:"delivery_endpoint_id,omitzero"`
	Cause              string         `json:"cause,omitempty"`    // why deliveries failed, see Cause
	ReplayID           ID             `json:"replay_id,omitzero"` // deliveries that this job made
}

// OfDeliveries reports whether the selection is of deliveries, not of events.
func (s *Selection) OfDeliveries() bool {
	return len(s.DeliveryIDs) > 0 || s.DeliveryStatus != "" || s.NewestOnly || !s.DeliveryEndpointID.IsZero() ||
		s.Cause != "" || !s.ReplayID.IsZero()
}

// ReplayJob is a bulk replay: a selection of past events that was frozen when
// the job was planned, a pace and a progress. Events are taken oldest first.
type ReplayJob struct {
	ID        ID
	ProjectID ID
	Selection Selection
	// EndpointIDs are where to; empty when planning: every endpoint that
	// matches now. Planning fills it in and freezes their filters.
	EndpointIDs   []ID
	AllMatching   bool // EndpointIDs was empty
	IgnoreFilter  bool // send also what the endpoints' event filters do not take
	SkipDelivered bool // leave out what an endpoint has delivered, judged when its turn comes
	Backfill      bool // leave out whatever an endpoint was ever to get
	Starts        bool // runs as soon as it is planned; of no meaning after
	RateLimit     int  // deliveries a second
	MaxEvents     int  // the oldest so many; 0: all
	Canary        int  // pause after so many deliveries for a person to look; 0: do not
	Brake         int  // pause when over this many per cent of the last 50 deliveries failed at first; 0: never
	Note          string

	Status     ReplayStatus
	Reason     string // why it paused, failed or was cancelled, a sentence; ReasonCanary, ReasonBrake begin some
	Plan       ReplayPlan
	Progress   ReplayProgress // read by db.Replay and db.Replays
	CreatedBy  string
	CreatedAt  time.Time
	StartedAt  time.Time // zero: not yet
	FinishedAt time.Time // zero: not yet
	UpdatedAt  time.Time
}

// How the reasons of jobs that paused by themselves begin.
const (
	ReasonCanary = "Canary"
	ReasonBrake  = "Brake"
)

// ReplayPlan is what a job will do, counted when it was planned; while it is being
// planned, what is counted so far.
type ReplayPlan struct {
	Events           int                 `json:"events"`            // that go to at least one endpoint
	Pairs            int                 `json:"pairs"`             // of an event and an endpoint: the total of the job
	Deliveries       int                 `json:"deliveries"`        // Pairs, less AlreadyDelivered if those are skipped
	AlreadyDelivered int                 `json:"already_delivered"` // Pairs that were delivered before
	LeftOut          int                 `json:"left_out"`          // events beyond MaxEvents; of many, those that were looked at
	Unmatched        int                 `json:"unmatched"`         // events selected that no endpoint takes
	Oldest           time.Time           `json:"oldest,omitzero"`
	Newest           time.Time           `json:"newest,omitzero"`
	Duration         time.Duration       `json:"duration"` // of Deliveries at the rate
	ByType           []ReplayTally       `json:"by_type"`  // events, most first
	ByHour           []ReplayHour        `json:"by_hour"`  // events, oldest first; hours without are left out
	ByEndpoint       []ReplayDestination `json:"by_endpoint"`
	NotReplayable    []ReplayTally       `json:"not_replayable"` // by reason: rejected, duplicate, test
}

// ReplayTally counts events of one kind.
type ReplayTally struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// ReplayHour counts the events of one hour.
type ReplayHour struct {
	Start time.Time `json:"start"`
	Count int       `json:"count"`
}

// ReplayDestination is what a plan sends to one endpoint.
type ReplayDestination struct {
	EndpointID       ID     `json:"endpoint_id"`
	Name             string `json:"name"`
	Paused           bool   `json:"paused"`     // what is sent waits until it is resumed
	Pairs            int    `json:"pairs"`      // events for it
	Deliveries       int    `json:"deliveries"` // Pairs, less AlreadyDelivered if those are skipped
	AlreadyDelivered int    `json:"already_delivered"`
}

// ReplayProgress counts how far a job is, in deliveries.
type ReplayProgress struct {
	Total     int           // Pairs of the plan
	Processed int           // final, or skipped
	Made      int           // deliveries made so far
	Waiting   int           // made and not attempted
	Retrying  int           // attempted and not final
	Succeeded int           // delivered
	Failed    int           // dead letters
	Discarded int           // by a person, or as the job was cancelled
	Skipped   int           // SkippedDelivered and SkippedGone
	Delivered int           // skipped for having been delivered there
	Gone      int           // skipped, for the endpoint was deleted or disabled meanwhile
	Rate      float64       // deliveries a second just now; 0 unless running
	Left      time.Duration // expected; 0: unknown or over
}

// FailureGroup are a job's deliveries to one endpoint that failed for one
// cause: for good, or so far.
type FailureGroup struct {
	EndpointID ID
	Cause      string // see Cause
	Example    string // the last error of one of them
	Count      int    // dead letters
	Retrying   int    // will be tried again
	FirstID    ID     // a delivery to look at
}

// DeadGroup are an endpoint's dead letters of one cause.
type DeadGroup struct {
	EndpointID ID
	Cause      string
	Example    string
	Count      int
	Oldest     time.Time
	Newest     time.Time
	NewestID   ID // a delivery to look at
}
