package handlers

import (
	"strings"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

func deadLettersPage(v *visit) error {
	list := v.deliveryList("endpoint_id", "event_id", "replay_id", "event_type", "from", "to", "cause")
	list.filter.Status, list.filter.NewestOnly, list.filter.Cause = relay.DeliveryDLQ, true, list.text("cause")
	if err := list.fill(v); err != nil {
		return err
	}
	list.shown.Cause = v.Query("cause")
	m := views.DeadLettersModel{
		Frame: v.frame, Filter: list.shown, Errors: list.errors, Endpoints: v.endpointRefs(), Types: list.types,
		Rows: list.rows, Pager: list.pager,
	}
	if len(m.Rows) > 0 && len(list.shown.Values()) > 0 { // without a filter a button replays all
		m.Pager.Replay = deliveriesReplay(list.shown, views.ReplayDead)
	}
	groups, err := v.store.DeadLetterGroups(v.ctx, v.project.ID)
	if err != nil {
		return err
	}
	for _, g := range groups {
		m.All += g.Count
		m.Causes = append(m.Causes, views.DeadLetterCause{
			Endpoint: v.endpointRef(g.EndpointID), Cause: g.Cause, Example: g.Example, Count: g.Count, OldestAt: g.Oldest, NewestAt: g.Newest,
		})
	}
	return v.render(list.status(), views.DeadLettersPage(m))
}

// deliveriesReplay plans a replay of everything that a filter of a list of
// deliveries selects; nil if a plan cannot select the same.
func deliveriesReplay(f views.DeliveryFilter, status string) *views.ReplayForm {
	form := &views.ReplayForm{
		Of: views.ReplayOfDeliveries, DeliveryStatus: status, DeliveryEndpointID: f.EndpointID, ReplayID: f.ReplayID, Cause: f.Cause,
		EventTypes: f.EventType, From: f.From, To: f.To, SkipDelivered: status != string(relay.DeliveryDelivered),
	}
	switch relay.DeliveryStatus(status) {
	case relay.DeliveryPending, relay.DeliveryRetrying:
		return nil
	case "":
		if f.EndpointID == "" && f.ReplayID == "" {
			return nil
		}
	}
	if f.EventID != "" || !isOneType(f.EventType) {
		return nil
	}
	return form
}

// eventsReplay does the same for a list of events.
func eventsReplay(f views.EventFilter) *views.ReplayForm {
	switch relay.EventStatus(f.Status) {
	case relay.EventRejected, relay.EventDuplicate:
		return nil
	}
	if f.SignatureValid == "false" || f.IdempotencyKey != "" || !isOneType(f.EventType) {
		return nil
	}
	return &views.ReplayForm{
		Of: "events", SourceID: f.SourceID, EventTypes: f.EventType, Status: f.Status, From: f.From, To: f.To, Q: f.Q,
		SkipDelivered: f.Status != string(relay.EventDelivered),
	}
}

// isOneType reports whether a plan's field for types and patterns means just
// the type that a list is narrowed to, or none.
func isOneType(typ string) bool {
	if typ == "" {
		return true
	}
	list := views.SplitList(typ)
	return len(list) == 1 && list[0] == typ && !strings.HasSuffix(typ, "*")
}

// replayDeadForm replays a group of dead letters, or all, by a job that starts
// at once.
func replayDeadForm(v *visit, f *form) error {
	job := v.newJob()
	job.Starts = true
	job.Selection = relay.Selection{
		DeliveryStatus: relay.DeliveryDLQ, NewestOnly: true,
		DeliveryEndpointID: f.id("endpoint_id", relay.PrefixEndpoint), Cause: f.text("cause"),
	}
	err := f.check(job.Validate())
	if err == nil {
		err = v.store.PlanReplay(v.ctx, job, v.Actor)
	}
	if flash, refused := refusal(err); refused {
		return v.back(f, "/dead-letters", flash)
	}
	if err != nil {
		return err
	}
	if job.Status == relay.ReplayPlanning {
		return v.done(replayPath(job.ID), views.Flash{Text: "Replaying the dead letters, as soon as they are counted. You may leave this page."})
	}
	if job.Plan.Deliveries == 0 {
		if _, err := v.store.CancelReplay(v.ctx, v.project.ID, job.ID, v.Actor); err != nil && relay.KindOf(err) != relay.KindConflict { // it is over
			return err
		}
		return v.back(f, "/dead-letters", views.Flash{Tone: views.ToneWarn, Text: "None of these can be replayed now: they were replayed or discarded, or their endpoint is disabled or was deleted."})
	}
	v.app.nudge(job.EndpointIDs...)
	return v.done(replayPath(job.ID), views.Flash{Text: "Replaying " + several(job.Plan.Deliveries, "dead letter", "dead letters") + ". You may leave this page."})
}

// discardDeadForm discards a group of dead letters.
func discardDeadForm(v *visit, f *form) error {
	endpoint, reason := f.id("endpoint_id", relay.PrefixEndpoint), f.text("reason")
	if len(reason) > maxReason {
		f.faults.add("reason", "the reason must have at most 500 bytes")
	}
	err := f.check(nil)
	n := 0
	if err == nil {
		n, err = v.store.DiscardDeadLetters(v.ctx, v.project.ID, endpoint, f.text("cause"), reason, v.Actor)
	}
	if flash, refused := refusal(err); refused {
		return v.back(f, "/dead-letters", flash)
	}
	if err != nil {
		return err
	}
	flash := views.Flash{Text: "Discarded " + several(n, "dead letter", "dead letters") + "."}
	if f.text("cause") != "" && n > 0 {
		return v.done("/dead-letters", flash) // the list of that cause is empty now
	}
	return v.back(f, "/dead-letters", flash)
}
