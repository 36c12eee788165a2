package handlers

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

// The limits of hookstream's replays, which are errors beyond.
const (
	hookstreamRate      = 10
	hookstreamMaxRate   = 100
	hookstreamEvents    = 1000
	hookstreamMaxEvents = 10_000
	// hookstreamExpiry is how long a job can be asked for.
	hookstreamExpiry = 30 * 24 * time.Hour
)

type hookstreamIn struct {
	DestinationID opt[string] `json:"destination_id"`
	SourceID      opt[string] `json:"source_id"`
	From          opt[string] `json:"from"`
	To            opt[string] `json:"to"`
	RateLimit     opt[int]    `json:"rate_limit"`
	MaxEvents     opt[int]    `json:"max_events"`
}

type hookstreamOut struct {
	Job hookstreamJob `json:"job"`
}

type hookstreamJob struct {
	ID            string  `json:"id"`
	DestinationID *string `json:"destination_id"`
	SourceID      *string `json:"source_id"`
	From          *string `json:"from"`
	To            *string `json:"to"`
	RateLimit     int     `json:"rate_limit"`
	MaxEvents     *int    `json:"max_events"`
	Status        string  `json:"status"`
	Total         int     `json:"total"`
	Processed     int     `json:"processed"`
	Succeeded     int     `json:"succeeded"`
	Failed        int     `json:"failed"`
	StartedAt     *string `json:"started_at"`
	CompletedAt   *string `json:"completed_at"`
}

func hookstreamShape(j *relay.ReplayJob) hookstreamOut {
	out := hookstreamJob{
		ID: relay.PrefixReplay.Format(j.ID), SourceID: idOrNull(relay.PrefixSource, j.Selection.SourceID),
		From: timeOrNull(j.Selection.From), To: timeOrNull(j.Selection.To), RateLimit: j.RateLimit, MaxEvents: numberOrNull(j.MaxEvents),
		Status: hookstreamStatus(j.Status), Total: j.Progress.Total, Processed: j.Progress.Processed, Succeeded: j.Progress.Succeeded,
		Failed: j.Progress.Failed, StartedAt: timeOrNull(j.StartedAt), CompletedAt: timeOrNull(j.FinishedAt),
	}
	if len(j.EndpointIDs) > 0 {
		out.DestinationID = idOrNull(relay.PrefixEndpoint, j.EndpointIDs[0])
	}
	return hookstreamOut{out}
}

// hookstreamStatus says the state of a job in hookstream's words.
func hookstreamStatus(s relay.ReplayStatus) string {
	switch s {
	case relay.ReplayCompleted:
		return "completed"
	case relay.ReplayFailed, relay.ReplayCancelled:
		return "failed"
	default: // it is not over
		return "running"
	}
}

// job is the job that is asked for, with hookstream's defaults and limits.
func (in *hookstreamIn) job(project relay.ID) (*relay.ReplayJob, error) {
	var r reading
	job := &relay.ReplayJob{
		ProjectID: project, Brake: relay.DefaultReplayBrake, RateLimit: hookstreamRate, MaxEvents: hookstreamEvents,
		Selection: relay.Selection{
			SourceID: r.id("source_id", relay.PrefixSource, in.SourceID), From: r.time("from", in.From), To: r.time("to", in.To),
		},
		EndpointIDs: []relay.ID{r.id("destination_id", relay.PrefixEndpoint, in.DestinationID)},
	}
	in.RateLimit.change(&job.RateLimit, hookstreamRate)
	in.MaxEvents.change(&job.MaxEvents, hookstreamEvents)
	if job.RateLimit < 1 || job.RateLimit > hookstreamMaxRate {
		r.faults.add("rate_limit", "must be a whole number from 1 to 100")
	}
	if job.MaxEvents < 1 || job.MaxEvents > hookstreamMaxEvents {
		r.faults.add("max_events", "must be a whole number from 1 to 10000")
	}
	r.require("destination_id", in.DestinationID)
	r.require("from", in.From)
	r.require("to", in.To)
	return job, r.check(job.Validate())
}

func (a *App) hookstreamReplay(c *call) error {
	if err := c.inProject(); err != nil {
		return err
	}
	var in hookstreamIn
	if err := decodeBody(c.body(), &in, false); err != nil {
		return err
	}
	job, err := in.job(c.Project)
	if err != nil {
		return err
	}
	if err := a.launch(c, job, false); err != nil {
		return renameField(err, "endpoint_ids", "destination_id")
	}
	c.Location(c.Path() + "/" + relay.PrefixReplay.Format(job.ID))
	return c.reply(fiber.StatusAccepted, hookstreamShape(job))
}

func (a *App) getHookstreamReplay(c *call) error {
	job, err := a.replayJob(c)
	if err != nil {
		return err
	}
	if a.now().Sub(job.CreatedAt) > hookstreamExpiry {
		return relay.ErrNotFound
	}
	return c.reply(fiber.StatusOK, hookstreamShape(&job))
}
