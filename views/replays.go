package views

import (
	"net/url"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// Replay is a replay job as pages show it.
type Replay struct {
	ID            relay.ID
	Status        relay.ReplayStatus
	Reason        string        // why it paused, failed or was cancelled, a sentence
	Selected      []Fact        // what it selects, in words; the API's filters
	Endpoints     []EndpointRef // where to, as frozen by the plan
	AllMatching   bool          // Endpoints are those that matched when it was planned
	RateLimit     int           // deliveries a second, at most
	MaxEvents     int           // 0: no limit
	Canary        int           // waits for a person after so many; 0: never
	SkipDelivered bool
	IgnoreFilter  bool
	Backfill      bool // for a new endpoint
	Starts        bool // as soon as it is planned
	Note          string
	By            string // who planned it
	CreatedAt     time.Time
	StartedAt     time.Time // zero: not yet
	FinishedAt    time.Time // zero: not yet
	Progress      ReplayProgress
	Plan          ReplayPlan
}

// ReplayProgress counts how far a job is, in deliveries.
type ReplayProgress struct {
	Total     int // planned
	Processed int // final or skipped, of Total
	Succeeded int
	Failed    int
	Retrying  int     // failed so far, and will be tried again
	Skipped   int     // delivered there since the plan was made
	Discarded int     // by a person, or as the job was cancelled
	Rate      float64 // deliveries a second just now
	Left      time.Duration
}

// Remaining are the deliveries that are not done.
func (p ReplayProgress) Remaining() int { return max(p.Total-p.Processed, 0) }

// ReplayPlan is what a job will do, counted when it was planned.
type ReplayPlan struct {
	Events     int // selected
	Deliveries int // to be made
	Delivered  int // already delivered there: left out if SkipDelivered
	TooMany    int // events beyond the limit of the job
	ByType     []Tally
	ByHour     []Bucket // Totals.Events of each
	ByEndpoint []ReplayDestination
	LeftOut    []Tally // events that are not sent, by reason, a sentence each
	Oldest     time.Time
	Newest     time.Time
	Duration   time.Duration // at the rate of the job
}

// Tally counts one kind of thing.
type Tally struct {
	Name  string
	Count int
}

// ReplayDestination is what a plan sends to one endpoint.
type ReplayDestination struct {
	Endpoint  EndpointRef
	Count     int // deliveries to be made
	Delivered int // that it already has
}

// ReplayFailure are the deliveries of a job that failed for one cause, for good
// or so far.
type ReplayFailure struct {
	Cause    string // fingerprint
	Endpoint EndpointRef
	Example  string   // the last error of one of them
	Count    int      // dead letters
	Retrying int      // will be tried again
	FirstID  relay.ID // a delivery to look at
}

// ReplaysModel lists replay jobs, newest first.
type ReplaysModel struct {
	Frame
	Status string // the filter, as it was typed; empty: all
	Errors map[string]string
	Rows   []*Replay
	Pager  Pager
	Ever   bool // the project has events that could be replayed
}

// ReplayModel is one replay job: its plan until it is started, then its course.
type ReplayModel struct {
	Frame
	Job       *Replay
	Failures  []ReplayFailure
	RateLimit string            // as typed after an error
	Errors    map[string]string // of the rate form
	Again     ReplayForm        // the same selection as a new plan
	NoAgain   bool              // it names events one by one, which no form can
}

// ReplayForm is the form of a new replay, as typed. Each field is sent under
// the name that it has in the API.
type ReplayForm struct {
	Of                 string // "events", or ReplayOfDeliveries
	SourceID           string
	EndpointIDs        []string // none: every endpoint that matches now
	From               string
	To                 string
	EventTypes         string // one a line
	Status             string
	Q                  string
	DeliveryStatus     string // "failed": dead letters that were not replayed since
	DeliveryEndpointID string
	ReplayID           string // deliveries that this job made
	Cause              string // deliveries that failed for this cause
	CauseExample       string // the last error of one of them
	RateLimit          string
	MaxEvents          string
	Canary             string
	Brake              string // per cent
	SkipDelivered      bool
	IgnoreFilter       bool
	Note               string
	Errors             map[string]string
}

// ReplayNewModel is the page that plans a replay.
type ReplayNewModel struct {
	Frame
	Form      ReplayForm
	Sources   []SourceRef
	Endpoints []EndpointRef
	Types     []string // known event types, to suggest
}

// Values is the form as query parameters of its page, empty ones left out.
func (f ReplayForm) Values() url.Values {
	v := values("of", f.Of, "source_id", f.SourceID, "from", f.From, "to", f.To, "event_types", f.EventTypes,
		"status", f.Status, "q", f.Q, "delivery_status", f.DeliveryStatus, "delivery_endpoint_id", f.DeliveryEndpointID, "replay_id", f.ReplayID, "cause", f.Cause,
		"rate_limit", f.RateLimit, "max_events", f.MaxEvents, "canary", f.Canary, "brake", f.Brake, "note", f.Note)
	if f.IgnoreFilter {
		v.Set("ignore_filter", "true")
	}
	if !f.SkipDelivered {
		v.Set("skip_delivered", "false")
	}
	for _, id := range f.EndpointIDs {
		v.Add("endpoint_ids", id)
	}
	return v
}

// replayFilter is the list's filter as the query of its address.
func replayFilter(m ReplaysModel) url.Values {
	f := url.Values{}
	if m.Status != "" {
		f.Set("status", m.Status)
	}
	return f
}

// jobStatusOptions are the states of a replay job.
var jobStatusOptions = []Option{
	{"planning", "planning"}, {"planned", "planned"}, {"running", "running"}, {"paused", "paused"}, {"completed", "completed"}, {"failed", "failed"}, {"cancelled", "cancelled"},
}
