package handlers

import (
	"context"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// createReplay plans a bulk replay, and starts it unless only the plan is
// wanted.
func (a *App) createReplay(c *call) error {
	if err := c.inProject(); err != nil {
		return err
	}
	var in replayJobIn
	if err := decodeBody(c.body(), &in, false); err != nil {
		return err
	}
	job, err := in.job(c.Project)
	if err != nil {
		return err
	}
	if err := a.launch(c, job, in.DryRun.Value); err != nil {
		return in.inWords(err)
	}
	return c.created(job)
}

// launch makes a job and, unless it is a dry run, has it started.
func (a *App) launch(c *call, job *relay.ReplayJob, dryRun bool) error {
	job.Starts = !dryRun
	return a.store.PlanReplay(c.ctx, job, c.Actor)
}

// created answers with a job that was just made, and says where it is.
func (c *call) created(job *relay.ReplayJob) error {
	prefix := "/v1/"
	if strings.HasPrefix(c.Path(), "/api/") {
		prefix = "/api/v1/"
	}
	c.Location(prefix + "replays/" + relay.PrefixReplay.Format(job.ID))
	return c.data(fiber.StatusAccepted, jobShape(job))
}

func (a *App) listReplays(c *call) error {
	p, page := c.list(replayParams...)
	filter := replayFilter(p)
	if err := p.err(); err != nil {
		return err
	}
	rows, err := a.store.Replays(c.ctx, c.Project, filter, page)
	if err != nil {
		return err
	}
	return replyList(c, rows, jobState)
}

// replayJob finds the job that the path names.
func (a *App) replayJob(c *call) (relay.ReplayJob, error) {
	id, err := c.id("id", relay.PrefixReplay)
	if err != nil {
		return relay.ReplayJob{}, err
	}
	return a.store.Replay(c.ctx, c.Project, id)
}

func (a *App) getReplay(c *call) error {
	job, err := a.replayJob(c)
	if err != nil {
		return err
	}
	return c.data(fiber.StatusOK, jobShape(&job))
}

// updateReplay changes the pace of a job.
func (a *App) updateReplay(c *call) error {
	job, err := a.replayJob(c)
	if err != nil {
		return err
	}
	var in struct {
		RateLimit opt[int] `json:"rate_limit"`
	}
	if err := decodeBody(c.body(), &in, false); err != nil {
		return err
	}
	if in.RateLimit.Given {
		if err := relay.ValidateReplayRate(in.RateLimit.Value); err != nil {
			return err
		}
		job, err = a.store.SetReplayRate(c.ctx, c.Project, job.ID, in.RateLimit.Value, c.Actor)
	}
	return c.job(job, err)
}

// job answers with a job, if there is no error.
func (c *call) job(job relay.ReplayJob, err error) error {
	if err != nil {
		return err
	}
	return c.data(fiber.StatusOK, jobShape(&job))
}

// changeReplay is a call that moves a job from one state to another.
func (a *App) changeReplay(change func(context.Context, relay.ID, relay.ID, relay.Actor) (relay.ReplayJob, error)) handler {
	return func(c *call) error {
		id, err := c.id("id", relay.PrefixReplay)
		if err != nil {
			return err
		}
		job, err := change(c.ctx, c.Project, id, c.Actor)
		return c.job(job, err)
	}
}

// pauseReplay pauses a job; the reason that may be given is for the record.
func (a *App) pauseReplay(c *call) error {
	id, err := c.id("id", relay.PrefixReplay)
	if err != nil {
		return err
	}
	reason, err := c.reason()
	if err != nil {
		return err
	}
	job, err := a.store.PauseReplay(c.ctx, c.Project, id, reason, c.Actor)
	return c.job(job, err)
}

// replayFailures says why deliveries of a job failed, most frequent causes
// first.
func (a *App) replayFailures(c *call) error {
	job, err := a.replayJob(c)
	if err != nil {
		return err
	}
	groups, err := a.store.ReplayFailures(c.ctx, c.Project, job.ID)
	if err != nil {
		return err
	}
	return replyList(c, db.Slice[relay.FailureGroup]{Rows: groups}, failureShape)
}

// replayFailedAgain makes a job of what failed in another one, and nothing
// else.
func (a *App) replayFailedAgain(c *call) error {
	id, err := c.id("id", relay.PrefixReplay)
	if err != nil {
		return err
	}
	var in struct {
		DryRun opt[bool] `json:"dry_run"`
	}
	if err := decodeBody(c.body(), &in, true); err != nil {
		return err
	}
	job, err := a.store.PlanFailed(c.ctx, c.Project, id, !in.DryRun.Value, c.Actor)
	if err != nil {
		return err
	}
	return c.created(&job)
}
