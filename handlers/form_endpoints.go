package handlers

import (
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// createEndpointForm leads to the page of the endpoint, which shows its signing
// secret once.
func createEndpointForm(v *visit, f *form) error {
	e := v.app.newEndpoint(v.project.ID)
	if secret := f.text("secret"); secret != "" {
		e.Secrets[0].Value = secret
	}
	err := f.applyEndpoint(e, v.app.o.Egress)
	days := f.number("backfill_days", "backfill_days", 0)
	if days < 0 || days > maxBackfillDays {
		f.faults.add("backfill_days", "must be a whole number from 1 to 365, or be empty")
	}
	if err = f.check(err); err == nil {
		err = v.store.CreateEndpoint(v.ctx, e, v.Actor)
	}
	if isTyped(err) {
		m := views.EndpointFormModel{Frame: v.at("/endpoints/new"), Form: f.typedEndpoint(relay.ID{}, false, err)}
		m.Form.Sources = v.sourceRefs()
		return v.render(fiber.StatusUnprocessableEntity, views.EndpointNewPage(m))
	}
	if err != nil {
		return err
	}
	var flash *views.Flash
	if days > 0 {
		flash = v.backfilled(e, days)
	}
	return v.showOnce(endpointPath(e.ID), once{Of: endpointPath(e.ID), Value: e.Secrets[0].Value}, flash)
}

// backfilled sends a new endpoint what came in before it, and says so.
func (v *visit) backfilled(e *relay.Endpoint, days int) *views.Flash {
	job := v.app.backfill(v.call, e, days)
	if job.Error != nil {
		return &views.Flash{Tone: views.ToneWarn, Text: "The endpoint was created, but not sent what came in before: " + *job.Error}
	}
	return &views.Flash{
		Text:    "Sending it the events of the last " + several(days, "day", "days") + ".",
		LinkURL: "/replays/" + *job.ReplayID, LinkLabel: "Watch the replay",
	}
}

func updateEndpointForm(v *visit, f *form) error {
	e, err := v.endpoint()
	if err != nil {
		return err
	}
	disable, was := f.disabled(), e.Status == relay.EndpointDisabled
	action := "endpoint.updated"
	switch {
	case disable && !was:
		action = "endpoint.disabled"
	case was && !disable:
		action = "endpoint.enabled"
	}
	saved, err := v.store.UpdateEndpoint(v.ctx, v.project.ID, e.ID, action, v.Actor, func(e *relay.Endpoint) error {
		if disable {
			e.Status, e.PauseReason = relay.EndpointDisabled, ""
		} else if e.Status == relay.EndpointDisabled {
			e.Status, e.PauseReason = relay.EndpointActive, ""
		}
		return f.applyEndpoint(e, v.app.o.Egress)
	})
	if isTyped(err) {
		authSet := hasCredential(e.Authentication) && f.text("authentication_type") == e.Authentication.Type
		return v.showEndpoint(fiber.StatusUnprocessableEntity, e, shownEndpoint{
			tab: "settings", form: f.typedEndpoint(e.ID, authSet, err),
		})
	}
	if err != nil {
		return err
	}
	v.wake(saved)
	return v.done(endpointPath(saved.ID)+"?tab=settings", views.Flash{Text: "Saved the settings of " + saved.Name + "."})
}

func pauseEndpointForm(v *visit, f *form) error {
	return v.setStatus(f, relay.EndpointPaused, "endpoint.paused", "Paused ", ". Its deliveries wait until it is resumed.")
}

func resumeEndpointForm(v *visit, f *form) error {
	return v.setStatus(f, relay.EndpointActive, "endpoint.resumed", "Resumed ", ". What waited is being delivered.")
}

func (v *visit) setStatus(f *form, status relay.EndpointStatus, action, did, so string) error {
	id, err := v.pathID(relay.PrefixEndpoint)
	if err != nil {
		return err
	}
	e, err := v.store.UpdateEndpoint(v.ctx, v.project.ID, id, action, v.Actor, func(e *relay.Endpoint) error {
		if e.Status, e.PauseReason = status, ""; status == relay.EndpointPaused {
			e.PauseReason = "Paused by " + v.Actor.Name + "."
		}
		return nil
	})
	if err != nil {
		return err
	}
	v.wake(e)
	return v.back(f, endpointPath(e.ID), views.Flash{Text: did + e.Name + so})
}

// wake lets go out what an endpoint may get now.
func (v *visit) wake(e *relay.Endpoint) {
	if e.Status == relay.EndpointActive {
		v.app.nudge(e.ID)
	}
}

func rotateSecretForm(v *visit, f *form) error {
	e, err := v.endpoint()
	if err != nil {
		return err
	}
	seconds := f.number("expire_after", "expire_after", int(defaultOverlap/time.Second))
	if seconds < 0 || seconds > int(maxOverlap/time.Second) {
		f.faults.add("expire_after", "must be from 0 to "+strconv.Itoa(int(maxOverlap/time.Second))+" seconds")
	}
	if err := f.faults.err(); err != nil {
		return err
	}
	secret := relay.Secret{ID: relay.NewID(), Value: relay.NewSecret(), CreatedAt: v.now}
	e, err = v.store.RotateSecret(v.ctx, v.project.ID, e.ID, secret, v.now.Add(time.Duration(seconds)*time.Second), v.Actor)
	if err != nil {
		return err
	}
	return v.showOnce(endpointPath(e.ID), once{Of: endpointPath(e.ID), Value: secret.Value}, nil)
}

func testFireForm(v *visit, f *form) error {
	e, err := v.endpoint()
	if err != nil {
		return err
	}
	d, err := v.app.fireTest(v.ctx, v.Actor, e, f.text("event"))
	if flash, refused := refusal(err); refused {
		return v.back(f, endpointPath(e.ID), flash)
	}
	if err != nil {
		return err
	}
	return v.back(f, endpointPath(e.ID), views.Flash{
		Text: "Sent a test event to " + e.Name + ".", LinkURL: deliveryPath(d.ID), LinkLabel: "See the delivery",
	})
}

func deleteEndpointForm(v *visit, _ *form) error {
	e, err := v.endpoint()
	if err != nil {
		return err
	}
	if err := v.store.DeleteEndpoint(v.ctx, v.project.ID, e.ID, v.Actor); err != nil {
		return err
	}
	return v.done("/endpoints", views.Flash{Text: "Deleted the endpoint " + e.Name + ". What was still to be delivered there is discarded."})
}
