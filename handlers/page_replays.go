package handlers

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

func replayPath(id relay.ID) string { return "/replays/" + relay.PrefixReplay.Format(id) }

func replaysPage(v *visit) error {
	place, pager := v.place()
	f := v.filters(replayParams...)
	filter := replayFilter(f.params)
	m := views.ReplaysModel{Frame: v.frame, Pager: pager, Status: f.values["status"]}
	if f.ok() {
		found, err := v.store.Replays(v.ctx, v.project.ID, filter, place)
		if err = f.listed(err); err != nil {
			return err
		}
		m.Pager.Next = found.Next
		for i := range found.Rows {
			m.Rows = append(m.Rows, v.replay(&found.Rows[i]))
		}
	}
	m.Errors = f.errors
	if v.isPoll() {
		return v.news(views.ReplaysNews(m))
	}
	return v.render(f.status(), views.ReplaysPage(m))
}

func replayPage(v *visit) error {
	job, err := v.replayJob()
	if err != nil {
		return err
	}
	return v.showReplay(fiber.StatusOK, &job, "", nil)
}

// replayJob finds the job that the path names.
func (v *visit) replayJob() (relay.ReplayJob, error) {
	id, err := v.pathID(relay.PrefixReplay)
	if err != nil {
		return relay.ReplayJob{}, err
	}
	return v.store.Replay(v.ctx, v.project.ID, id)
}

func (v *visit) showReplay(status int, job *relay.ReplayJob, rate string, errors map[string]string) error {
	m := views.ReplayModel{
		Frame: v.at(replayPath(job.ID)), Job: v.replay(job), RateLimit: rate, Errors: errors,
		Again: replayFormOf(job), NoAgain: job.Backfill || !canPlanAgain(&job.Selection),
	}
	if job.Progress.Failed+job.Progress.Retrying > 0 {
		failures, err := v.store.ReplayFailures(v.ctx, v.project.ID, job.ID)
		if err != nil {
			return err
		}
		for _, f := range failures {
			m.Failures = append(m.Failures, views.ReplayFailure{
				Cause: f.Cause, Endpoint: v.endpointRef(f.EndpointID), Example: f.Example, Count: f.Count, Retrying: f.Retrying, FirstID: f.FirstID,
			})
		}
	}
	switch planning := job.Status == relay.ReplayPlanning; {
	case v.isPoll() && planning:
		return v.news(views.PlanningNews(m))
	case v.isPoll() && v.Query("was") == string(relay.ReplayPlanning): // the whole page is another one now
		v.Set("HX-Redirect", replayPath(job.ID))
		return v.SendStatus(fiber.StatusNoContent)
	case v.isPoll():
		return v.news(views.ReplayNews(m))
	}
	return v.render(status, views.ReplayPage(m))
}

// newReplayPage is the form of a new replay. Lists lead to it with their
// filters, and its own buttons with everything that was typed so far.
func newReplayPage(v *visit) error {
	f := views.ReplayForm{
		Of: v.Query("of"), SourceID: v.Query("source_id"), From: fullTime(v.Query("from")), To: fullTime(v.Query("to")),
		EventTypes: v.Query("event_types"), Status: v.Query("status"), Q: v.Query("q"), DeliveryStatus: v.Query("delivery_status"),
		DeliveryEndpointID: v.Query("delivery_endpoint_id"), ReplayID: v.Query("replay_id"), Cause: v.Query("cause"),
		RateLimit: v.Query("rate_limit", formNumber(relay.DefaultReplayRate)), MaxEvents: v.Query("max_events"), Canary: v.Query("canary"),
		Brake: v.Query("brake", formNumber(relay.DefaultReplayBrake)), IgnoreFilter: v.Query("ignore_filter") == "true", SkipDelivered: true, Note: v.Query("note"),
	}
	for name, value := range v.Context().QueryArgs().All() {
		switch string(name) {
		case "endpoint_ids":
			f.EndpointIDs = append(f.EndpointIDs, string(value))
		case "skip_delivered": // a box that is not ticked sends only the field before it
			f.SkipDelivered = string(value) == "true"
		}
	}
	if f.Of == "" {
		f.Of, f.DeliveryStatus = "events", views.ReplayDead
	}
	if back, err := time.ParseDuration(v.Query("last")); err == nil && back > 0 {
		f.From, f.To = v.now.UTC().Add(-back).Truncate(time.Minute).Format(time.RFC3339), ""
	}
	return v.askReplay(fiber.StatusOK, f)
}

func (v *visit) askReplay(status int, f views.ReplayForm) error {
	if f.Cause != "" {
		example, err := v.causeExample(f.DeliveryEndpointID, f.Cause)
		if err != nil {
			return err
		}
		f.CauseExample = example
	}
	return v.render(status, views.ReplayNewPage(views.ReplayNewModel{
		Frame: v.at("/replays/new"), Form: f, Sources: v.sourceRefs(), Endpoints: v.endpointRefs(), Types: v.typesOf(nil),
	}))
}

// causeExample is the last error of a dead letter with that cause.
func (v *visit) causeExample(endpoint, cause string) (string, error) {
	groups, err := v.store.DeadLetterGroups(v.ctx, v.project.ID)
	if err != nil {
		return "", err
	}
	for _, g := range groups {
		if g.Cause == cause && (endpoint == "" || relay.PrefixEndpoint.Format(g.EndpointID) == endpoint) {
			return g.Example, nil
		}
	}
	return "", nil
}

// canPlanAgain reports whether the form can select the same: it names no ids, and
// has one field for types and patterns.
func canPlanAgain(s *relay.Selection) bool {
	return s.Named == 0 && (s.EventType == "" || len(s.EventTypes) == 0 && isOneType(s.EventType))
}

// replayFormOf is the form that plans the same again.
func replayFormOf(job *relay.ReplayJob) views.ReplayForm {
	s := &job.Selection
	f := views.ReplayForm{
		Of: "events", SourceID: formatID(relay.PrefixSource, s.SourceID), From: formTime(s.From), To: formTime(s.To),
		EventTypes: strings.Join(s.EventTypes, "\n"), Status: string(s.Status), Q: s.Q, DeliveryStatus: string(s.DeliveryStatus),
		DeliveryEndpointID: formatID(relay.PrefixEndpoint, s.DeliveryEndpointID), ReplayID: formatID(relay.PrefixReplay, s.ReplayID),
		Cause: s.Cause, RateLimit: formNumber(job.RateLimit), MaxEvents: blankZero(job.MaxEvents), Canary: blankZero(job.Canary),
		Brake: formNumber(job.Brake), IgnoreFilter: job.IgnoreFilter, SkipDelivered: job.SkipDelivered, Note: job.Note,
	}
	if s.EventType != "" {
		f.EventTypes = s.EventType
	}
	if s.OfDeliveries() {
		f.Of = views.ReplayOfDeliveries
		if s.DeliveryStatus == relay.DeliveryDLQ && s.NewestOnly {
			f.DeliveryStatus = views.ReplayDead
		}
	}
	if !job.AllMatching {
		for _, id := range job.EndpointIDs {
			f.EndpointIDs = append(f.EndpointIDs, relay.PrefixEndpoint.Format(id))
		}
	}
	return f
}

func formatID(prefix relay.Prefix, id relay.ID) string {
	if id.IsZero() {
		return ""
	}
	return prefix.Format(id)
}

func formTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
