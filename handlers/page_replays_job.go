package handlers

import (
	"strings"
	"time"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// replay is a job as pages show it.
func (v *visit) replay(job *relay.ReplayJob) *views.Replay {
	p := job.Progress
	r := &views.Replay{
		ID: job.ID, Status: job.Status, Reason: job.Reason, Selected: v.selected(job), AllMatching: job.AllMatching,
		RateLimit: job.RateLimit, MaxEvents: job.MaxEvents, Canary: job.Canary, SkipDelivered: job.SkipDelivered || job.Backfill,
		IgnoreFilter: job.IgnoreFilter, Backfill: job.Backfill, Starts: job.Starts, Note: job.Note, By: job.CreatedBy, CreatedAt: job.CreatedAt, StartedAt: job.StartedAt,
		FinishedAt: job.FinishedAt, Plan: v.replayPlan(&job.Plan),
		Progress: views.ReplayProgress{
			Total: p.Total, Processed: p.Processed, Succeeded: p.Succeeded, Failed: p.Failed, Retrying: p.Retrying, Skipped: p.Skipped,
			Discarded: p.Discarded, Rate: p.Rate, Left: p.Left,
		},
	}
	if job.AllMatching { // name those that get something
		for _, d := range r.Plan.ByEndpoint {
			r.Endpoints = append(r.Endpoints, d.Endpoint)
		}
		return r
	}
	for _, id := range job.EndpointIDs {
		r.Endpoints = append(r.Endpoints, v.endpointRef(id))
	}
	return r
}

// selected says in words what a job selects.
func (v *visit) selected(job *relay.ReplayJob) []views.Fact {
	s := &job.Selection
	var facts []views.Fact
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, views.Fact{Name: name, Value: value})
		}
	}
	received := "Received"
	if s.OfDeliveries() {
		received = "Made"
		add("Deliveries", deliveriesWord(s))
	}
	if s.Named > 0 {
		add("Selected", "by hand")
	}
	if job.Backfill {
		add("Purpose", "backfill of a new endpoint")
	}
	if !s.DeliveryEndpointID.IsZero() {
		add("Of", v.endpointName(s.DeliveryEndpointID))
	}
	if !s.ReplayID.IsZero() {
		add("Of the replay", shortID(relay.PrefixReplay.Format(s.ReplayID)))
	}
	add("Cause", s.Cause)
	if !s.SourceID.IsZero() {
		add("Source", v.sourceName(s.SourceID))
	}
	add(received, rangeWord(v.now, s.From, s.To))
	add("Type", s.EventType)
	add("Types", strings.Join(s.EventTypes, ", "))
	add("Status", string(s.Status))
	add("Search", s.Q)
	return facts
}

func deliveriesWord(s *relay.Selection) string {
	switch {
	case s.DeliveryStatus == relay.DeliveryDLQ && s.NewestOnly:
		return "dead letters"
	case s.DeliveryStatus == relay.DeliveryDLQ:
		return "all dead letters"
	case s.DeliveryStatus != "":
		return string(s.DeliveryStatus)
	}
	return "in any state"
}

func (v *visit) sourceName(id relay.ID) string {
	if ref := v.sourceRef(id); ref.Name != "" {
		return ref.Name
	}
	return "a source that was deleted"
}

func (v *visit) endpointName(id relay.ID) string {
	if ref := v.endpointRef(id); ref.Name != "" {
		return ref.Name
	}
	return "an endpoint that was deleted"
}

func rangeWord(now, from, to time.Time) string {
	word := func(t time.Time) string {
		if t.Year() == now.Year() {
			return t.UTC().Format("2 Jan 15:04")
		}
		return t.UTC().Format("2 Jan 2006 15:04")
	}
	switch {
	case from.IsZero() && to.IsZero():
		return ""
	case from.IsZero():
		return "until " + word(to) + " UTC"
	case to.IsZero():
		return "since " + word(from) + " UTC"
	case from.UTC().Format(time.DateOnly) == to.UTC().Format(time.DateOnly):
		return word(from) + " – " + to.UTC().Format("15:04") + " UTC"
	}
	return word(from) + " – " + word(to) + " UTC"
}

// replayPlan is a plan as pages show it.
func (v *visit) replayPlan(p *relay.ReplayPlan) views.ReplayPlan {
	plan := views.ReplayPlan{
		Events: p.Events, Deliveries: p.Deliveries, Delivered: p.AlreadyDelivered, TooMany: p.LeftOut,
		Oldest: p.Oldest, Newest: p.Newest, Duration: p.Duration, ByHour: hourBuckets(p.ByHour),
	}
	for _, t := range p.ByType {
		plan.ByType = append(plan.ByType, views.Tally{Name: t.Name, Count: t.Count})
	}
	for _, d := range p.ByEndpoint {
		ref := v.endpointRef(d.EndpointID)
		if ref.ID.IsZero() {
			ref.Name = d.Name
		}
		plan.ByEndpoint = append(plan.ByEndpoint, views.ReplayDestination{Endpoint: ref, Count: d.Deliveries, Delivered: d.AlreadyDelivered})
	}
	for _, t := range p.NotReplayable {
		plan.LeftOut = append(plan.LeftOut, views.Tally{Name: leftOutWord(t.Name), Count: t.Count})
	}
	for _, t := range []views.Tally{
		{Name: "No endpoint takes them", Count: p.Unmatched}, {Name: "Beyond the limit: only the oldest are sent", Count: p.LeftOut},
	} {
		if t.Count > 0 {
			plan.LeftOut = append(plan.LeftOut, t)
		}
	}
	return plan
}

// leftOutWord says why events are never replayed.
func leftOutWord(reason string) string {
	switch reason {
	case "rejected":
		return "The signature was not valid"
	case "duplicate":
		return "Duplicates of an earlier event"
	case "test":
		return "Test events"
	}
	return reason
}

// hoursShown is how many columns the chart of a plan has at most before it
// counts by day.
const hoursShown = 7 * 24

// hourBuckets are the columns of the chart of a plan, without gaps.
func hourBuckets(hours []relay.ReplayHour) []views.Bucket {
	if len(hours) == 0 {
		return nil
	}
	width := time.Hour
	first, last := hours[0].Start.UTC(), hours[len(hours)-1].Start.UTC()
	if last.Sub(first) >= hoursShown*time.Hour {
		width, first = 24*time.Hour, first.Truncate(24*time.Hour)
	}
	buckets := make([]views.Bucket, int(last.Sub(first)/width)+1)
	for i := range buckets {
		buckets[i] = views.Bucket{At: first.Add(time.Duration(i) * width), Width: width}
	}
	for _, h := range hours {
		if i := int(h.Start.Sub(first) / width); i >= 0 && i < len(buckets) {
			buckets[i].Totals.Events += h.Count
		}
	}
	return buckets
}
