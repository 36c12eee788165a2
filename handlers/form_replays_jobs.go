package handlers

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// jobAct is what a person can do to a replay job.
type jobAct struct {
	did string
	do  func(ctx context.Context, project, id relay.ID, by relay.Actor) (relay.ReplayJob, error)
}

func startReplayForm(v *visit, f *form) error {
	return v.actOnJob(f, jobAct{"Started. It goes on by itself: you may leave this page.", v.store.StartReplay})
}

func resumeReplayForm(v *visit, f *form) error {
	return v.actOnJob(f, jobAct{"Resumed.", v.store.ResumeReplay})
}

func pauseReplayForm(v *visit, f *form) error {
	return v.actOnJob(f, jobAct{"Paused. What was under way is still finished.", func(ctx context.Context, project, id relay.ID, by relay.Actor) (relay.ReplayJob, error) {
		return v.store.PauseReplay(ctx, project, id, "Paused by "+v.User.Email+".", by)
	}})
}

func cancelReplayForm(v *visit, f *form) error {
	return v.actOnJob(f, jobAct{"Cancelled.", v.store.CancelReplay})
}

func (v *visit) actOnJob(f *form, act jobAct) error {
	id, err := v.pathID(relay.PrefixReplay)
	if err != nil {
		return err
	}
	job, err := act.do(v.ctx, v.project.ID, id, v.Actor)
	if flash, refused := refusal(err); refused {
		return v.back(f, replayPath(id), flash)
	}
	if err != nil {
		return err
	}
	v.app.nudge(job.EndpointIDs...)
	return v.back(f, replayPath(id), views.Flash{Text: act.did})
}

func replayRateForm(v *visit, f *form) error {
	id, err := v.pathID(relay.PrefixReplay)
	if err != nil {
		return err
	}
	rate := f.number("rate_limit", "rate_limit", 0)
	if err = f.check(relay.ValidateReplayRate(rate)); err == nil {
		_, err = v.store.SetReplayRate(v.ctx, v.project.ID, id, rate, v.Actor)
	}
	if relay.KindOf(err) == relay.KindValidation {
		job, found := v.replayJob()
		if found != nil {
			return found
		}
		return v.showReplay(fiber.StatusUnprocessableEntity, &job, f.raw("rate_limit"), formErrors(err))
	}
	if flash, refused := refusal(err); refused {
		return v.back(f, replayPath(id), flash)
	}
	if err != nil {
		return err
	}
	return v.back(f, replayPath(id), views.Flash{Text: "The rate is " + several(rate, "delivery", "deliveries") + " a second now."})
}

// replayFailedForm plans a replay of what a job failed to deliver: all of it,
// or what failed at one endpoint for one cause.
func replayFailedForm(v *visit, f *form) error {
	id, err := v.pathID(relay.PrefixReplay)
	if err != nil {
		return err
	}
	plan := func() (relay.ReplayJob, error) { return v.store.PlanFailed(v.ctx, v.project.ID, id, false, v.Actor) }
	if f.text("cause") != "" {
		plan = func() (relay.ReplayJob, error) { return v.planFailures(f, id) }
	}
	job, err := plan()
	if flash, refused := refusal(err); refused {
		return v.back(f, replayPath(id), flash)
	}
	if err != nil {
		return err
	}
	return v.Redirect(replayPath(job.ID), fiber.StatusSeeOther)
}

func (v *visit) planFailures(f *form, of relay.ID) (relay.ReplayJob, error) {
	old, err := v.store.Replay(v.ctx, v.project.ID, of)
	if err != nil {
		return relay.ReplayJob{}, err
	}
	job := v.newJob()
	job.RateLimit, job.Note = old.RateLimit, old.Note
	job.Selection = relay.Selection{
		ReplayID: of, DeliveryStatus: relay.DeliveryDLQ, NewestOnly: true,
		DeliveryEndpointID: f.id("endpoint_id", relay.PrefixEndpoint), Cause: f.text("cause"),
	}
	if err := f.check(nil); err != nil {
		return relay.ReplayJob{}, err
	}
	err = v.store.PlanReplay(v.ctx, job, v.Actor)
	return *job, err
}
