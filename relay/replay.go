package relay

import (
	"slices"
	"time"
)

// ReplayStatus is the state of a replay job.
type ReplayStatus string

// The states of a replay job; see doc.go for the drawing.
const (
	ReplayPlanned   ReplayStatus = "planned" // a dry run
	ReplayRunning   ReplayStatus = "running"
	ReplayPaused    ReplayStatus = "paused"
	ReplayCompleted ReplayStatus = "completed"
	ReplayFailed    ReplayStatus = "failed"
	ReplayCancelled ReplayStatus = "cancelled"
)

var replayMoves = map[ReplayStatus][]ReplayStatus{
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

// Final reports whether nothing more happens to a job.
func (s ReplayStatus) Final() bool {
	return s == ReplayCompleted || s == ReplayFailed || s == ReplayCancelled
}

// ReplayJob is a bulk replay: a selection of past events that was frozen when
// the job was made, a pace and a progress. Events are taken oldest first.
type ReplayJob struct {
	ID           ID
	ProjectID    ID
	EndpointID   ID
	SourceID     ID // zero: every source
	From         time.Time
	To           time.Time // exclusive
	EventType    string    // a type or pattern as in an event filter; empty: all
	EventStatus  EventStatus
	RateLimit    int // deliveries a second
	MaxEvents    int
	IgnoreFilter bool // send also what the endpoint's filter does not take
	Status       ReplayStatus
	Error        string // why it failed
	Total        int    // events selected
	Queued       int    // deliveries made so far
	Cursor       ID     // the last event that was looked at
	CreatedAt    time.Time
	StartedAt    time.Time // zero: not yet
	FinishedAt   time.Time // zero: not yet
}
