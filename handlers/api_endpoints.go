package handlers

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

func (a *App) listEndpoints(c *call) error {
	p, page := c.list()
	if err := p.err(); err != nil {
		return err
	}
	rows, err := a.store.Endpoints(c.ctx, c.Project, page)
	if err != nil {
		return err
	}
	return replyList(c, rows, endpointShape)
}

// endpoint finds the endpoint that the path names.
func (a *App) endpoint(c *call, param string) (*relay.Endpoint, error) {
	id, err := c.id(param, relay.PrefixEndpoint)
	if err != nil {
		return nil, err
	}
	return a.store.Endpoint(c.Project, id)
}

func (a *App) getEndpoint(c *call) error {
	e, err := a.endpoint(c, "id")
	if err != nil {
		return err
	}
	return c.data(fiber.StatusOK, endpointShape(e))
}

func (a *App) createEndpoint(c *call) error {
	if err := c.inProject(); err != nil {
		return err
	}
	var in endpointIn
	if err := decodeBody(c.body(), &in, false); err != nil {
		return err
	}
	e := a.newEndpoint(c.Project)
	in.Secret.change(&e.Secrets[0].Value, e.Secrets[0].Value)
	err := in.apply(e, a.o.Egress)
	if err = in.checkBackfill(e).with(err); err != nil {
		return err
	}
	if err := a.store.CreateEndpoint(c.ctx, e, c.Actor); err != nil {
		return err
	}
	out := endpointShape(e)
	out.Secret = e.Secrets[0].Value
	if in.BackfillDays.has() {
		out.Backfill = a.backfill(c, e, in.BackfillDays.Value)
	}
	return c.data(fiber.StatusCreated, out)
}

const maxBackfillDays = 365 // as long as anything is kept

func (in *endpointIn) checkBackfill(e *relay.Endpoint) (f faults) {
	switch n := in.BackfillDays; {
	case n.has() && (n.Value < 1 || n.Value > maxBackfillDays):
		f.add("backfill_days", "must be a whole number from 1 to 365, or be left out")
	case n.has() && e.Status == relay.EndpointDisabled:
		f.add("backfill_days", "needs an endpoint that is not disabled")
	}
	return f
}

// backfill sends a new endpoint what came in before it. The endpoint, and its
// secret that is shown but once, are there even if that fails.
func (a *App) backfill(c *call, e *relay.Endpoint, days int) *backfillOut {
	job, err := a.store.PlanBackfill(c.ctx, e.ProjectID, e.ID, days, relay.DefaultReplayRate, c.Actor)
	if err != nil {
		a.log.WarnContext(c.ctx, "a new endpoint was not backfilled", "request_id", requestID(c.Response()), "error", err)
		return &backfillOut{Error: textOrNull(a.explain(err).Detail)}
	}
	return &backfillOut{ReplayID: idOrNull(relay.PrefixReplay, job.ID)}
}

// newEndpoint is an endpoint with all defaults and a new secret.
func (a *App) newEndpoint(project relay.ID) *relay.Endpoint {
	now := a.clock()
	return &relay.Endpoint{
		ID: relay.NewID(), ProjectID: project, Status: relay.EndpointActive, Retry: relay.DefaultRetryPolicy(),
		HTTPTimeout: defaultHTTPTimeout, Authentication: relay.Authentication{Type: relay.AuthNone},
		Secrets:   []relay.Secret{{ID: relay.NewID(), Value: relay.NewSecret(), CreatedAt: now}},
		CreatedAt: now, UpdatedAt: now,
	}
}

func (a *App) updateEndpoint(c *call) error {
	found, err := a.endpoint(c, "id")
	if err != nil {
		return err
	}
	var in endpointIn
	if err := decodeBody(c.body(), &in, false); err != nil {
		return err
	}
	if in.Secret.Given {
		return relay.Invalid(relay.FieldError{Field: "secret", Message: "cannot be changed here; rotate it with POST …/secrets/rotate"})
	}
	if in.BackfillDays.Given {
		return relay.Invalid(relay.FieldError{Field: "backfill_days", Message: "is for new endpoints; use POST …/replays for this one"})
	}
	return a.changeEndpoint(c, found.ID, "endpoint.updated", func(e *relay.Endpoint) error { return in.apply(e, a.o.Egress) })
}

// changeEndpoint stores a change and wakes what may go out now.
func (a *App) changeEndpoint(c *call, id relay.ID, action string, change func(*relay.Endpoint) error) error {
	e, err := a.store.UpdateEndpoint(c.ctx, c.Project, id, action, c.Actor, change)
	if err != nil {
		return err
	}
	if e.Status == relay.EndpointActive {
		a.nudge(e.ID)
	}
	return c.data(fiber.StatusOK, endpointShape(e))
}

func (a *App) pauseEndpoint(c *call) error {
	return a.setStatus(c, "endpoint.paused", relay.EndpointPaused)
}

func (a *App) resumeEndpoint(c *call) error {
	return a.setStatus(c, "endpoint.resumed", relay.EndpointActive)
}

func (a *App) setStatus(c *call, action string, status relay.EndpointStatus) error {
	id, err := c.id("id", relay.PrefixEndpoint)
	if err != nil {
		return err
	}
	return a.changeEndpoint(c, id, action, func(e *relay.Endpoint) error {
		e.Status, e.PauseReason = status, ""
		return nil
	})
}

func (a *App) deleteEndpoint(c *call) error {
	id, err := c.id("id", relay.PrefixEndpoint)
	if err != nil {
		return err
	}
	if err := a.store.DeleteEndpoint(c.ctx, c.Project, id, c.Actor); err != nil {
		return err
	}
	return c.noContent()
}

const (
	defaultOverlap = 24 * time.Hour // for which an old secret goes on signing
	maxOverlap     = 30 * 24 * time.Hour
)

func (a *App) rotateSecret(c *call) error {
	id, err := c.id("id", relay.PrefixEndpoint)
	if err != nil {
		return err
	}
	var in struct {
		ExpireAfter opt[float64] `json:"expire_after"`
	}
	if err := decodeBody(c.body(), &in, true); err != nil {
		return err
	}
	overlap := defaultOverlap
	duration(in.ExpireAfter, &overlap, defaultOverlap)
	if overlap < 0 || overlap > maxOverlap {
		return relay.Invalid(relay.FieldError{Field: "expire_after", Message: "must be a number of seconds from 0 to 2592000"})
	}
	now := a.clock()
	secret := relay.Secret{ID: relay.NewID(), Value: relay.NewSecret(), CreatedAt: now}
	e, err := a.store.RotateSecret(c.ctx, c.Project, id, secret, now.Add(overlap), c.Actor)
	if err != nil {
		return err
	}
	out := endpointShape(e)
	out.Secret = secret.Value
	return c.data(fiber.StatusOK, out)
}
