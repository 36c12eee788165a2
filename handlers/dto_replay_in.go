package handlers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/reprise-dev/reprise/relay"
)

// replayJobIn is what a bulk replay may say.
type replayJobIn struct {
	EndpointID  opt[string]   `json:"endpoint_id"`
	EndpointIDs opt[[]string] `json:"endpoint_ids"`

	SourceID           opt[string]   `json:"source_id"`
	From               opt[string]   `json:"from"`
	To                 opt[string]   `json:"to"`
	EventType          opt[string]   `json:"event_type"`
	EventTypes         opt[[]string] `json:"event_types"`
	Status             opt[string]   `json:"status"`
	Q                  opt[string]   `json:"q"`
	EventIDs           opt[[]string] `json:"event_ids"`
	DeliveryIDs        opt[[]string] `json:"delivery_ids"`
	DeliveryStatus     opt[string]   `json:"delivery_status"`
	NewestOnly         opt[bool]     `json:"newest_only"`
	DeliveryEndpointID opt[string]   `json:"delivery_endpoint_id"`
	Cause              opt[string]   `json:"cause"`
	ReplayID           opt[string]   `json:"replay_id"`

	RateLimit     opt[int]    `json:"rate_limit"`
	MaxEvents     opt[int]    `json:"max_events"`
	Canary        opt[int]    `json:"canary"`
	Brake         opt[int]    `json:"brake"`
	IgnoreFilter  opt[bool]   `json:"ignore_filter"`
	SkipDelivered opt[bool]   `json:"skip_delivered"`
	Note          opt[string] `json:"note"`
	DryRun        opt[bool]   `json:"dry_run"`
}

// job is the job that is asked for. What is left out has its default.
func (in *replayJobIn) job(project relay.ID) (*relay.ReplayJob, error) {
	var r reading
	endpoints := r.ids("endpoint_ids", relay.PrefixEndpoint, r.one("endpoint_id", in.EndpointID, "endpoint_ids", in.EndpointIDs), relay.MaxReplayEndpoints)
	job := &relay.ReplayJob{
		ProjectID: project, Selection: in.selection(&r), EndpointIDs: endpoints, IgnoreFilter: in.IgnoreFilter.Value,
		SkipDelivered: in.SkipDelivered.Value, RateLimit: relay.DefaultReplayRate, Canary: in.Canary.Value,
		Brake: relay.DefaultReplayBrake, MaxEvents: in.MaxEvents.Value, Note: r.text("note", in.Note),
	}
	in.RateLimit.change(&job.RateLimit, relay.DefaultReplayRate)
	in.Brake.change(&job.Brake, relay.DefaultReplayBrake)
	if in.MaxEvents.has() && job.MaxEvents == 0 {
		r.faults.add("max_events", fmt.Sprintf("must be a whole number from 1 to %d, or be left out", relay.MaxReplayEvents))
	}
	return job, in.inWords(r.check(job.Validate()))
}

// inWords calls the fields of an error as the request did.
func (in *replayJobIn) inWords(err error) error {
	if in.EndpointID.has() {
		err = renameField(err, "endpoint_ids", "endpoint_id")
	}
	return err
}

func (in *replayJobIn) selection(r *reading) relay.Selection {
	s := relay.Selection{
		From: r.time("from", in.From), To: r.time("to", in.To), SourceID: r.id("source_id", relay.PrefixSource, in.SourceID),
		EventType: in.EventType.Value, EventTypes: in.EventTypes.Value, Status: relay.EventStatus(in.Status.Value),
		Q: r.text("q", in.Q), EventIDs: r.ids("event_ids", relay.PrefixEvent, in.EventIDs, relay.MaxReplayIDs),
		DeliveryIDs:    r.ids("delivery_ids", relay.PrefixDelivery, in.DeliveryIDs, relay.MaxReplayIDs),
		DeliveryStatus: relay.DeliveryStatus(in.DeliveryStatus.Value), NewestOnly: in.NewestOnly.Value,
		DeliveryEndpointID: r.id("delivery_endpoint_id", relay.PrefixEndpoint, in.DeliveryEndpointID), Cause: r.text("cause", in.Cause),
		ReplayID: r.id("replay_id", relay.PrefixReplay, in.ReplayID),
	}
	if s.DeliveryStatus == "failed" {
		s.DeliveryStatus = relay.DeliveryDLQ
	}
	// A dead letter that was replayed since no longer counts as failed.
	if s.DeliveryStatus == relay.DeliveryDLQ && !in.NewestOnly.has() && s.ReplayID.IsZero() {
		s.NewestOnly = true
	}
	if in.EventType.has() {
		r.require("event_type", in.EventType)
	}
	if in.EventType.has() && in.EventTypes.has() {
		r.faults.add("event_type", "must be left out if event_types is given")
	}
	if in.wantsAll() {
		r.faults.add("from", "is missing: say what to replay by from and to, or by another condition")
	}
	return s
}

// wantsAll reports whether there is no condition at all, which is more likely
// to be a slip than a wish.
func (in *replayJobIn) wantsAll() bool {
	for _, given := range []bool{
		in.SourceID.has(), in.From.has(), in.To.has(), in.EventType.has(), in.EventTypes.has(), in.Status.has(), in.Q.has(), in.EventIDs.has(),
		in.DeliveryIDs.has(), in.DeliveryStatus.has(), in.DeliveryEndpointID.has(), in.Cause.has(), in.ReplayID.has(),
	} {
		if given {
			return false
		}
	}
	return true
}

// reading collects what fields of a body mean and what is wrong with them.
type reading struct {
	faults faults
	badID  error
}

func (r *reading) err() error {
	if r.badID != nil {
		return r.badID
	}
	return r.faults.err()
}

// check adds the faults of a validation, but for fields that are known to be
// at fault.
func (r *reading) check(err error) error {
	var e *relay.Error
	switch {
	case r.badID != nil:
		return r.badID
	case errors.As(err, &e):
		for _, found := range e.Fields {
			if !slices.ContainsFunc(r.faults, func(f relay.FieldError) bool { return f.Field == found.Field }) {
				r.faults.add(found.Field, found.Message)
			}
		}
	case err != nil:
		return err
	}
	return r.err()
}

// require notes it if a text is missing or empty.
func (r *reading) require(field string, in opt[string]) {
	if in.Value == "" {
		r.faults.add(field, "must be given")
	}
}

// text is a text without control characters but line breaks and tabs.
func (r *reading) text(field string, in opt[string]) string {
	if strings.ContainsFunc(in.Value, func(c rune) bool { return unicode.IsControl(c) && !strings.ContainsRune("\n\r\t", c) }) {
		r.faults.add(field, "must be text without control characters")
	}
	return in.Value
}

func (r *reading) id(field string, prefix relay.Prefix, in opt[string]) relay.ID {
	if !in.has() {
		return relay.ID{}
	}
	id, err := relay.ParseID(prefix, in.Value)
	if err != nil && r.badID == nil {
		r.badID = withField(err, field)
	}
	return id
}

// ids reads a list of ids; what is in it twice counts once.
func (r *reading) ids(field string, prefix relay.Prefix, in opt[[]string], most int) []relay.ID {
	if !in.has() {
		return nil
	}
	if n := len(in.Value); n == 0 || n > most {
		r.faults.add(field, fmt.Sprintf("must hold 1 to %d ids, or be left out", most))
		return nil
	}
	seen := make(map[relay.ID]bool, len(in.Value))
	out := make([]relay.ID, 0, len(in.Value))
	for _, s := range in.Value {
		id, err := relay.ParseID(prefix, s)
		if err != nil {
			r.badID = withField(err, field)
			return nil
		}
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

func (r *reading) time(field string, in opt[string]) time.Time {
	if !in.has() {
		return time.Time{}
	}
	t, err := relay.ParseTime(in.Value)
	if err != nil {
		r.faults.add(field, "must be a time with its zone, such as 2026-01-31T09:30:00Z")
	}
	return t
}

// one reads a thing that may be given alone or in a list, but not both ways.
func (r *reading) one(single string, a opt[string], list string, b opt[[]string]) opt[[]string] {
	switch {
	case a.has() && b.has():
		r.faults.add(single, "must be left out if "+list+" is given")
	case a.has():
		return opt[[]string]{Given: true, Value: []string{a.Value}}
	}
	return b
}
