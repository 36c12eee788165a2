package relay

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// The bounds of replay jobs.
const (
	DefaultReplayRate  = 50
	MaxReplayRate      = 1000
	MaxReplayEvents    = 1_000_000
	MaxReplayIDs       = 10_000
	MaxReplayEndpoints = 1000
	DefaultReplayBrake = 50
	MaxReplaysPlanning = 50   // of a project at a time
	MaxReplaysRunning  = 1000 // likewise
	maxReplayNote      = 1000
	maxSearch          = 500
)

// Validate checks what a person or program asked for. Fields are named as in
// the API.
func (j *ReplayJob) Validate() error {
	var f fields
	j.Selection.validate(&f)
	f.between("rate_limit", j.RateLimit, 1, MaxReplayRate)
	f.between("max_events", j.MaxEvents, 0, MaxReplayEvents)
	f.between("canary", j.Canary, 0, MaxReplayEvents)
	f.between("brake", j.Brake, 0, 100)
	f.text("note", j.Note, maxReplayNote)
	if len(j.EndpointIDs) > MaxReplayEndpoints {
		f.add("endpoint_ids", "must name at most %d endpoints", MaxReplayEndpoints)
	}
	if j.IgnoreFilter && len(j.EndpointIDs) == 0 && !j.Selection.OfDeliveries() {
		f.add("ignore_filter", "needs endpoint_ids: without, the filters choose where events go")
	}
	return Invalid(f...)
}

// ValidateReplayRate checks a new rate for a job.
func ValidateReplayRate(rate int) error {
	var f fields
	f.between("rate_limit", rate, 1, MaxReplayRate)
	return Invalid(f...)
}

func (s *Selection) validate(f *fields) {
	for name, t := range map[string]time.Time{"from": s.From, "to": s.To} {
		if !t.IsZero() && (t.Year() < 1970 || t.Year() > 9999) {
			f.add(name, "must be a time from 1970 to 9999")
		}
	}
	if !s.From.IsZero() && !s.To.IsZero() && !s.From.Before(s.To) {
		f.add("to", "must be after from")
	}
	f.line("event_type", s.EventType, 0, maxName)
	if len(s.EventTypes) > maxFilter {
		f.add("event_types", "must have at most %d entries", maxFilter)
	}
	for i, t := range s.EventTypes {
		f.line(fmt.Sprintf("event_types[%d]", i), t, 1, maxName)
	}
	if s.Status != "" && !s.Status.Known() {
		f.add("status", "must be a status of events, such as failed or unmatched")
	}
	if utf8.RuneCountInString(s.Q) > maxSearch {
		f.add("q", "must have at most %d characters", maxSearch)
	}
	if len(s.EventIDs) > MaxReplayIDs {
		f.add("event_ids", "must have at most %d ids; select by time, type or status instead", MaxReplayIDs)
	}
	if len(s.DeliveryIDs) > MaxReplayIDs {
		f.add("delivery_ids", "must have at most %d ids; select by time, type or status instead", MaxReplayIDs)
	}
	if s.DeliveryStatus != "" && !s.DeliveryStatus.Known() {
		f.add("delivery_status", "must be a status of deliveries, such as dlq")
	}
	if len(s.Cause) > maxName {
		f.add("cause", "must be a cause from the list of dead letters or of a job's failures")
	}
	if !s.OfDeliveries() {
		return
	}
	for name, set := range map[string]bool{"event_ids": len(s.EventIDs) > 0, "status": s.Status != "", "q": s.Q != ""} {
		if set {
			f.add(name, "cannot be combined with a selection of deliveries")
		}
	}
}
