package handlers

import (
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// planReplayForm makes a plan. Nothing is sent until it is started.
func planReplayForm(v *visit, f *form) error {
	job := v.newJob()
	err := f.check(f.applyReplay(job))
	if err == nil {
		err = v.store.PlanReplay(v.ctx, job, v.Actor)
	}
	if isTyped(err) {
		typed := f.typedReplay()
		typed.Errors = formErrors(err)
		return v.askReplay(fiber.StatusUnprocessableEntity, typed)
	}
	if err != nil {
		return err
	}
	return v.Redirect(replayPath(job.ID), fiber.StatusSeeOther)
}

// newJob is a job with the defaults of the dashboard.
func (v *visit) newJob() *relay.ReplayJob {
	return &relay.ReplayJob{ProjectID: v.project.ID, RateLimit: relay.DefaultReplayRate, Brake: relay.DefaultReplayBrake}
}

// applyReplay reads the form into a job.
func (f *form) applyReplay(job *relay.ReplayJob) error {
	s := &job.Selection
	s.From, s.To = f.time("from"), f.time("to")
	s.SourceID = f.id("source_id", relay.PrefixSource)
	s.EventTypes = views.SplitList(f.raw("event_types"))
	if f.text("of") == views.ReplayOfDeliveries {
		f.applyDeliveries(s)
	} else {
		s.Status, s.Q = relay.EventStatus(f.text("status")), f.text("q")
	}
	for _, text := range f.values["endpoint_ids"] {
		id, err := relay.ParseID(relay.PrefixEndpoint, text)
		if err != nil {
			f.faults.add("endpoint_ids", "must be ids of endpoints")
			break
		}
		job.EndpointIDs = append(job.EndpointIDs, id)
	}
	job.RateLimit = f.number("rate_limit", "rate_limit", relay.DefaultReplayRate)
	job.MaxEvents = f.number("max_events", "max_events", 0)
	job.Canary = f.number("canary", "canary", 0)
	job.Brake = f.number("brake", "brake", relay.DefaultReplayBrake)
	job.IgnoreFilter = f.text("ignore_filter") == "true"
	job.SkipDelivered = f.skipDelivered()
	job.Note = f.text("note")
	return job.Validate()
}

func (f *form) applyDeliveries(s *relay.Selection) {
	s.DeliveryStatus = relay.DeliveryStatus(f.text("delivery_status"))
	if f.text("delivery_status") == views.ReplayDead {
		s.DeliveryStatus, s.NewestOnly = relay.DeliveryDLQ, true
	}
	s.DeliveryEndpointID = f.id("delivery_endpoint_id", relay.PrefixEndpoint)
	s.ReplayID = f.id("replay_id", relay.PrefixReplay)
	s.Cause = f.text("cause")
	if !s.OfDeliveries() {
		f.faults.add("delivery_status", "must be chosen, or an endpoint")
	}
}

// skipDelivered is on unless the form says that it is off: a box that is not
// ticked sends nothing, so a field before it says false.
func (f *form) skipDelivered() bool {
	said := f.values["skip_delivered"]
	return len(said) == 0 || slices.Contains(said, "true")
}

// id reads a field of one id, zero if it is empty.
func (f *form) id(name string, prefix relay.Prefix) relay.ID {
	s := f.text(name)
	if s == "" {
		return relay.ID{}
	}
	id, err := relay.ParseID(prefix, s)
	if err != nil {
		f.faults.add(name, "must be an id such as "+string(prefix)+"…")
	}
	return id
}

// time reads a time in UTC, as a datetime-local field sends it, or with a zone.
func (f *form) time(name string) time.Time {
	s := f.text(name)
	if s == "" {
		return time.Time{}
	}
	t, err := relay.ParseTime(fullTime(s))
	if err != nil {
		f.faults.add(name, "must be a time such as 2026-01-31T09:30:00Z")
	}
	return t
}

// typedReplay is the form as it was typed.
func (f *form) typedReplay() views.ReplayForm {
	return views.ReplayForm{
		Of: f.raw("of"), SourceID: f.raw("source_id"), EndpointIDs: f.values["endpoint_ids"], From: f.raw("from"), To: f.raw("to"),
		EventTypes: f.block("event_types"), Status: f.raw("status"), Q: f.raw("q"), DeliveryStatus: f.raw("delivery_status"),
		DeliveryEndpointID: f.raw("delivery_endpoint_id"), ReplayID: f.raw("replay_id"), Cause: f.raw("cause"),
		RateLimit: f.raw("rate_limit"), MaxEvents: f.raw("max_events"), Canary: f.raw("canary"), Brake: f.raw("brake"),
		SkipDelivered: f.skipDelivered(), IgnoreFilter: f.text("ignore_filter") == "true", Note: f.raw("note"),
	}
}
