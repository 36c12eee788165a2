package handlers

import (
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// jobOut is a replay job. Its choices are called as in the request.
type jobOut struct {
	ID            string             `json:"id"`
	ProjectID     string             `json:"project_id"`
	Status        relay.ReplayStatus `json:"status"`
	Reason        *string            `json:"reason"` // why it is paused, failed or cancelled
	Selection     selectionOut       `json:"selection"`
	EndpointIDs   []string           `json:"endpoint_ids"`
	AllMatching   bool               `json:"all_matching"` // endpoint_ids are those that matched when it was planned
	IgnoreFilter  bool               `json:"ignore_filter"`
	SkipDelivered bool               `json:"skip_delivered"`
	Backfill      bool               `json:"backfill"`
	RateLimit     int                `json:"rate_limit"`
	MaxEvents     *int               `json:"max_events"`
	Canary        *int               `json:"canary"`
	Brake         int                `json:"brake"` // per cent, 0: none
	Note          string             `json:"note"`
	Plan          *planOut           `json:"plan,omitempty"`
	Progress      progressOut        `json:"progress"`
	CreatedBy     string             `json:"created_by"`
	CreatedAt     *string            `json:"created_at"`
	StartedAt     *string            `json:"started_at"`
	FinishedAt    *string            `json:"finished_at"`
	UpdatedAt     *string            `json:"updated_at"`
}

type selectionOut struct {
	From               *string  `json:"from"`
	To                 *string  `json:"to"`
	SourceID           *string  `json:"source_id"`
	EventType          *string  `json:"event_type"`
	EventTypes         []string `json:"event_types"` // types and patterns
	Status             *string  `json:"status"`
	Q                  *string  `json:"q"`
	Named              *int     `json:"named"` // how many were named by their ids
	DeliveryStatus     *string  `json:"delivery_status"`
	DeliveryEndpointID *string  `json:"delivery_endpoint_id"`
	NewestOnly         bool     `json:"newest_only"`
	Cause              *string  `json:"cause"`
	ReplayID           *string  `json:"replay_id"`
}

type planOut struct {
	Events           int           `json:"events"`
	Pairs            int           `json:"pairs"` // of an event and an endpoint
	Deliveries       int           `json:"deliveries"`
	AlreadyDelivered int           `json:"already_delivered"`
	LeftOut          int           `json:"left_out"` // events beyond max_events
	Unmatched        int           `json:"unmatched"`
	Oldest           *string       `json:"oldest"`
	Newest           *string       `json:"newest"`
	ExpectedSeconds  float64       `json:"expected_seconds"`
	ByType           []typeCount   `json:"by_type"`
	ByHour           []hourCount   `json:"by_hour"`
	ByEndpoint       []targetCount `json:"by_endpoint"`
	NotReplayable    []reasonCount `json:"not_replayable"`
}

type typeCount struct {
	EventType string `json:"event_type"`
	Events    int    `json:"events"`
}

type hourCount struct {
	Start  *string `json:"start"`
	Events int     `json:"events"`
}

type targetCount struct {
	EndpointID       string `json:"endpoint_id"`
	Name             string `json:"name"`
	Paused           bool   `json:"paused"`
	Pairs            int    `json:"pairs"`
	Deliveries       int    `json:"deliveries"`
	AlreadyDelivered int    `json:"already_delivered"`
}

type reasonCount struct {
	Reason string `json:"reason"`
	Events int    `json:"events"`
}

type progressOut struct {
	Total            int      `json:"total"`
	Processed        int      `json:"processed"`
	Made             int      `json:"made"`
	Waiting          int      `json:"waiting"`
	Retrying         int      `json:"retrying"`
	Succeeded        int      `json:"succeeded"`
	Failed           int      `json:"failed"`
	Discarded        int      `json:"discarded"`
	Skipped          int      `json:"skipped"`
	SkippedDelivered int      `json:"skipped_delivered"`
	SkippedGone      int      `json:"skipped_gone"`
	Rate             float64  `json:"rate"`
	SecondsLeft      *float64 `json:"seconds_left"`
}

func jobShape(j *relay.ReplayJob) jobOut {
	out := jobState(j)
	out.Plan = planShape(&j.Plan)
	return out
}

// jobState is a job without its plan, which never changes.
func jobState(j *relay.ReplayJob) jobOut {
	return jobOut{
		ID: relay.PrefixReplay.Format(j.ID), ProjectID: relay.PrefixProject.Format(j.ProjectID), Status: j.Status, Reason: textOrNull(j.Reason),
		Selection: selectionShape(&j.Selection), EndpointIDs: endpointIDs(j.EndpointIDs), AllMatching: j.AllMatching,
		IgnoreFilter: j.IgnoreFilter, SkipDelivered: j.SkipDelivered, Backfill: j.Backfill, RateLimit: j.RateLimit,
		MaxEvents: numberOrNull(j.MaxEvents), Canary: numberOrNull(j.Canary), Brake: j.Brake, Note: j.Note,
		Progress: progressShape(&j.Progress), CreatedBy: j.CreatedBy, CreatedAt: timeOrNull(j.CreatedAt),
		StartedAt: timeOrNull(j.StartedAt), FinishedAt: timeOrNull(j.FinishedAt), UpdatedAt: timeOrNull(j.UpdatedAt),
	}
}

func endpointIDs(ids []relay.ID) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = relay.PrefixEndpoint.Format(id)
	}
	return out
}

func selectionShape(s *relay.Selection) selectionOut {
	return selectionOut{
		From: timeOrNull(s.From), To: timeOrNull(s.To), SourceID: idOrNull(relay.PrefixSource, s.SourceID),
		EventType: textOrNull(s.EventType), EventTypes: listOrEmpty(s.EventTypes), Status: textOrNull(string(s.Status)), Q: textOrNull(s.Q), Named: numberOrNull(max(s.Named, len(s.EventIDs), len(s.DeliveryIDs))),
		DeliveryStatus: textOrNull(string(s.DeliveryStatus)), DeliveryEndpointID: idOrNull(relay.PrefixEndpoint, s.DeliveryEndpointID),
		NewestOnly: s.NewestOnly, Cause: textOrNull(s.Cause), ReplayID: idOrNull(relay.PrefixReplay, s.ReplayID),
	}
}

func planShape(p *relay.ReplayPlan) *planOut {
	out := &planOut{
		Events: p.Events, Pairs: p.Pairs, Deliveries: p.Deliveries, AlreadyDelivered: p.AlreadyDelivered, LeftOut: p.LeftOut, Unmatched: p.Unmatched,
		Oldest: timeOrNull(p.Oldest), Newest: timeOrNull(p.Newest), ExpectedSeconds: seconds(p.Duration),
		ByType: make([]typeCount, len(p.ByType)), ByHour: make([]hourCount, len(p.ByHour)),
		ByEndpoint: make([]targetCount, len(p.ByEndpoint)), NotReplayable: make([]reasonCount, len(p.NotReplayable)),
	}
	for i, t := range p.ByType {
		out.ByType[i] = typeCount{t.Name, t.Count}
	}
	for i, h := range p.ByHour {
		out.ByHour[i] = hourCount{timeOrNull(h.Start), h.Count}
	}
	for i, d := range p.ByEndpoint {
		out.ByEndpoint[i] = targetCount{relay.PrefixEndpoint.Format(d.EndpointID), d.Name, d.Paused, d.Pairs, d.Deliveries, d.AlreadyDelivered}
	}
	for i, t := range p.NotReplayable {
		out.NotReplayable[i] = reasonCount{t.Name, t.Count}
	}
	return out
}

func progressShape(p *relay.ReplayProgress) progressOut {
	out := progressOut{
		Total: p.Total, Processed: p.Processed, Made: p.Made, Waiting: p.Waiting, Retrying: p.Retrying, Succeeded: p.Succeeded,
		Failed: p.Failed, Discarded: p.Discarded, Skipped: p.Skipped, SkippedDelivered: p.Delivered, SkippedGone: p.Gone, Rate: p.Rate,
	}
	if p.Left > 0 {
		left := p.Left.Round(time.Millisecond).Seconds()
		out.SecondsLeft = &left
	}
	return out
}

// failureOut are deliveries of a job to one endpoint that failed for one cause,
// for good or so far.
type failureOut struct {
	EndpointID string `json:"endpoint_id"`
	Cause      string `json:"cause"`
	Example    string `json:"example"`
	Count      int    `json:"count"`
	Retrying   int    `json:"retrying"`
	FirstID    string `json:"first_delivery_id"`
}

func failureShape(g *relay.FailureGroup) failureOut {
	return failureOut{relay.PrefixEndpoint.Format(g.EndpointID), g.Cause, g.Example, g.Count, g.Retrying, relay.PrefixDelivery.Format(g.FirstID)}
}
