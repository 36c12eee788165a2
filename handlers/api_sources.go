package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

func (a *App) listSources(c *call) error {
	p, page := c.list()
	if err := p.err(); err != nil {
		return err
	}
	rows, err := a.store.Sources(c.ctx, c.Project, page)
	if err != nil {
		return err
	}
	return replyList(c, rows, a.sourceOut)
}

// source finds the source that the path names.
func (a *App) source(c *call) (*relay.Source, error) {
	id, err := c.id("id", relay.PrefixSource)
	if err != nil {
		return nil, err
	}
	return a.store.Source(c.Project, id)
}

func (a *App) getSource(c *call) error {
	src, err := a.source(c)
	if err != nil {
		return err
	}
	return c.data(fiber.StatusOK, a.sourceOut(src))
}

func (a *App) createSource(c *call) error {
	if err := c.inProject(); err != nil {
		return err
	}
	var in sourceIn
	if err := decodeBody(c.body(), &in, false); err != nil {
		return err
	}
	src := a.newSource(c.Project)
	if err := in.apply(src); err != nil {
		return err
	}
	if err := a.store.CreateSource(c.ctx, src, c.Actor); err != nil {
		return err
	}
	return c.data(fiber.StatusCreated, a.sourceOut(src))
}

// newSource is a source with all defaults.
func (a *App) newSource(project relay.ID) *relay.Source {
	now := a.clock()
	return &relay.Source{
		ID: relay.NewID(), ProjectID: project, Type: relay.SourceHTTP, Verifier: relay.Verifier{Type: relay.VerifierNoop},
		RetentionDays: defaultRetentionDays, CreatedAt: now, UpdatedAt: now,
	}
}

func (a *App) updateSource(c *call) error {
	found, err := a.source(c)
	if err != nil {
		return err
	}
	var in sourceIn
	if err := decodeBody(c.body(), &in, false); err != nil {
		return err
	}
	src, err := a.store.UpdateSource(c.ctx, c.Project, found.ID, c.Actor, in.apply)
	if err != nil {
		return err
	}
	return c.data(fiber.StatusOK, a.sourceOut(src))
}

func (a *App) deleteSource(c *call) error {
	id, err := c.id("id", relay.PrefixSource)
	if err != nil {
		return err
	}
	if err := a.store.DeleteSource(c.ctx, c.Project, id, c.Actor); err != nil {
		return err
	}
	return c.noContent()
}

// inProject refuses to make things for a person who is in no project.
func (c *call) inProject() error {
	if c.Project.IsZero() {
		return &relay.Error{Kind: relay.KindForbidden, Detail: "You are in no project. Create one first."}
	}
	return nil
}
