package handlers

import (
	"errors"
	"fmt"
	"strings"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// bulkMost is how many rows one bulk form may name.
const bulkMost = 100

func replayEventForm(v *visit, f *form) error {
	id, err := v.pathID(relay.PrefixEvent)
	if err != nil {
		return err
	}
	endpoints, err := f.ids("endpoint_ids", relay.PrefixEndpoint)
	if err != nil {
		return err
	}
	if f.text("chosen") != "" && len(endpoints) == 0 {
		return v.back(f, eventPath(id), views.Flash{Tone: views.ToneWarn, Text: "No endpoint was chosen, so nothing was sent. Tick the endpoints first."})
	}
	made, err := v.replayEvent(id, endpoints)
	if flash, refused := refusal(err); refused {
		return v.back(f, eventPath(id), flash)
	}
	if err != nil {
		return err
	}
	flash := views.Flash{
		Text:    fmt.Sprintf("Replayed %s to %s.", shortID(relay.PrefixEvent.Format(id)), several(len(made), "endpoint", "endpoints")),
		LinkURL: eventPath(id), LinkLabel: "See its deliveries",
	}
	switch len(made) {
	case 0:
		flash = views.Flash{Tone: views.ToneWarn, Text: "No endpoint takes this event now, so nothing was sent. Choose where it should go."}
	case 1:
		flash.LinkURL, flash.LinkLabel = deliveryPath(made[0].ID), "See the delivery"
	}
	return v.back(f, eventPath(id), flash)
}

func (v *visit) replayEvent(id relay.ID, endpoints []relay.ID) ([]relay.Delivery, error) {
	made, err := v.store.ReplayEvent(v.ctx, v.project.ID, id, endpoints, v.Actor)
	v.app.nudgeFor(made)
	return made, err
}

func bulkEventsForm(v *visit, f *form) error {
	deliveries := 0
	t, err := bulk(f, relay.PrefixEvent, func(id relay.ID) error {
		if f.text("action") != "replay" {
			return errBulkAction
		}
		made, err := v.replayEvent(id, nil)
		deliveries += len(made)
		return err
	})
	if err != nil {
		return err
	}
	return v.back(f, "/events", t.flash("Replayed "+several(t.done, "event", "events")+" as "+several(deliveries, "delivery", "deliveries")))
}

var errBulkAction = &relay.Error{Kind: relay.KindInvalidRequest, Detail: "The action of the form is not known."}

// deliveryAct is what a person can do to one delivery.
type deliveryAct struct {
	did string // "Replayed", before what it was done to
	so  string // what follows from it
	do  func(v *visit, f *form, id relay.ID, budget db.Budget) (relay.Delivery, error)
}

var deliveryActs = map[string]deliveryAct{
	"replay": {"Replayed", "A new delivery is on its way.", func(v *visit, _ *form, id relay.ID, budget db.Budget) (relay.Delivery, error) {
		return v.store.ReplayDelivery(v.ctx, v.project.ID, id, v.Actor, budget)
	}},
	"retry": {"Retried", "It is tried again right now.", func(v *visit, _ *form, id relay.ID, _ db.Budget) (relay.Delivery, error) {
		return v.store.RetryDelivery(v.ctx, v.project.ID, id, "webhook_delivery.retried", v.Actor)
	}},
	"discard": {"Discarded", "It will not be sent.", func(v *visit, f *form, id relay.ID, _ db.Budget) (relay.Delivery, error) {
		reason := f.text("reason")
		if len(reason) > maxReason {
			return relay.Delivery{}, relay.Invalid(relay.FieldError{Field: "reason", Message: "the reason must have at most 500 bytes"})
		}
		return v.store.DiscardDelivery(v.ctx, v.project.ID, id, reason, v.Actor)
	}},
}

func replayDeliveryForm(v *visit, f *form) error  { return v.actOnDelivery(f, deliveryActs["replay"]) }
func retryDeliveryForm(v *visit, f *form) error   { return v.actOnDelivery(f, deliveryActs["retry"]) }
func discardDeliveryForm(v *visit, f *form) error { return v.actOnDelivery(f, deliveryActs["discard"]) }

func (v *visit) actOnDelivery(f *form, act deliveryAct) error {
	id, err := v.pathID(relay.PrefixDelivery)
	if err != nil {
		return err
	}
	d, err := act.do(v, f, id, v.app.replayBudget)
	if flash, refused := refusal(err); refused {
		return v.back(f, deliveryPath(id), flash)
	}
	if err != nil {
		return err
	}
	v.app.nudge(d.EndpointID)
	flash := views.Flash{Text: act.did + " " + shortID(relay.PrefixDelivery.Format(id)) + ". " + act.so}
	if d.ID != id || f.raw("return_to") != "" {
		flash.LinkURL, flash.LinkLabel = deliveryPath(d.ID), "See the delivery"
	}
	return v.back(f, deliveryPath(id), flash)
}

func bulkDeliveriesForm(v *visit, f *form) error {
	act, ok := deliveryActs[f.text("action")]
	if !ok {
		return errBulkAction
	}
	var due []relay.ID
	budget := onceEach(v.app.replayBudget)
	t, err := bulk(f, relay.PrefixDelivery, func(id relay.ID) error {
		d, err := act.do(v, f, id, budget)
		if err == nil {
			due = append(due, d.EndpointID)
		}
		return err
	})
	v.app.nudge(due...)
	if err != nil {
		return err
	}
	return v.back(f, "/deliveries", t.flash(act.did+" "+several(t.done, "delivery", "deliveries")))
}

// tally is what came of a bulk form.
type tally struct {
	done, refused int
	reason        string // of the first refusal
}

// bulk does something to each id of a form. What is refused, or is there no
// more, is counted and does not keep the others from being done.
func bulk(f *form, prefix relay.Prefix, do func(relay.ID) error) (tally, error) {
	var t tally
	ids, err := f.ids("ids", prefix)
	if err != nil {
		return t, err
	}
	if len(ids) > bulkMost {
		return t, &relay.Error{Kind: relay.KindInvalidRequest, Detail: fmt.Sprintf("Choose at most %d rows at once.", bulkMost)}
	}
	for _, id := range ids {
		err := do(id)
		flash, refused := refusal(err)
		if relay.KindOf(err) == relay.KindNotFound {
			flash, refused = views.Flash{Text: relay.ErrNotFound.Detail}, true
		}
		switch {
		case err == nil:
			t.done++
		case refused:
			if t.refused++; t.reason == "" {
				t.reason = flash.Text
			}
		default:
			return t, err
		}
	}
	return t, nil
}

func (t tally) flash(did string) views.Flash {
	switch {
	case t.done+t.refused == 0:
		return views.Flash{Tone: views.ToneWarn, Text: "Nothing was chosen. Tick the rows first."}
	case t.refused == 0:
		return views.Flash{Text: did + "."}
	}
	text := fmt.Sprintf("%s. %d could not be: %s", did, t.refused, t.reason)
	if t.done == 0 {
		return views.Flash{Tone: views.ToneBad, Text: t.reason}
	}
	return views.Flash{Tone: views.ToneWarn, Text: text}
}

// refusal makes a message of an error that says why something cannot be done
// just now. It is false for what is not there and for faults of ours.
func refusal(err error) (views.Flash, bool) {
	switch relay.KindOf(err) {
	case relay.KindConflict, relay.KindNotReplayable, relay.KindValidation, relay.KindReplayLimited, relay.KindTestFireLimited:
	default:
		return views.Flash{}, false
	}
	var e *relay.Error
	errors.As(err, &e)
	text := e.Detail
	for _, fault := range e.Fields {
		text += " " + strings.ToUpper(fault.Message[:1]) + fault.Message[1:] + "."
	}
	return views.Flash{Tone: views.ToneBad, Text: text}, true
}

func several(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// shortID keeps both ends of an id.
func shortID(id string) string { return id[:8] + "…" + id[len(id)-6:] }
