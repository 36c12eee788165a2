package views

import (
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// OverviewModel is the state of the project in one range of time.
type OverviewModel struct {
	Frame
	Range   string // "1h", "24h", "7d" or "30d": the query parameter "range"
	From    time.Time
	To      time.Time
	Current Totals // of the range
	Before  Totals // of the equally long range before it, for the trend
	Buckets []Bucket

	Pending       int       // deliveries that their first attempt is still to come of
	Retrying      int       // deliveries that are tried again
	OldestWaiting time.Time // due time of the oldest of them, zero: none
	DeadLetters   int       // newest deliveries only
	Attention     []Attention

	// The checklist is shown until all three are true.
	HasSource      bool
	HasEndpoint    bool
	HasEvent       bool
	FirstSourceID  relay.ID // zero: none
	FirstIngestURL string   // of the first source, for the curl line; empty: none
}

// Totals counts what happened in a range of time.
type Totals struct {
	Events    int
	Rejected  int // of Events: the signature was not valid
	Delivered int // deliveries that ended well
	Failed    int // deliveries that became dead letters
	Attempts  int
	Failures  int // of Attempts
	P50       time.Duration
	P95       time.Duration
}

// Bucket is one column of a chart.
type Bucket struct {
	At     time.Time
	Width  time.Duration
	Totals Totals
}

// AttentionKind sorts what needs a person.
type AttentionKind string

// The kinds of Attention, in the order in which they should be listed.
const (
	AttentionFailing     AttentionKind = "failing"      // an endpoint that answers badly
	AttentionDeadLetters AttentionKind = "dead_letters" // of one endpoint
	AttentionReplay      AttentionKind = "replay"       // a replay job that waits for somebody, with Count deliveries to go
	AttentionPaused      AttentionKind = "paused"       // an endpoint, with Count deliveries waiting
	AttentionRejected    AttentionKind = "rejected"     // a source, with Count bad signatures in the range
)

// Attention is one thing that needs a person.
type Attention struct {
	Kind   AttentionKind
	ID     relay.ID // of the source, endpoint or replay job
	Name   string
	Count  int       // attempts failed, deliveries waiting or to go, requests rejected, dead letters
	Of     int       // for AttentionFailing: attempts in all
	Detail string    // last error or reason, a sentence; may be empty
	Since  time.Time // may be zero
}
