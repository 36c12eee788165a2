package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

type projectIn struct {
	Name opt[string] `json:"name"`
}

type projectOut struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	CreatedAt *string `json:"created_at"`
	UpdatedAt *string `json:"updated_at"`
}

func projectShape(p *relay.Project) projectOut {
	return projectOut{relay.PrefixProject.Format(p.ID), p.Name, timeOrNull(p.CreatedAt), timeOrNull(p.UpdatedAt)}
}

// project finds a project that the caller may see: a key its own, a person
// those that they are in.
func (a *App) project(c *call, param string) (relay.Project, error) {
	id, err := c.id(param, relay.PrefixProject)
	if err != nil {
		return relay.Project{}, err
	}
	if !c.maySee(id) {
		return relay.Project{}, relay.ErrNotFound
	}
	return a.store.Project(c.ctx, id)
}

func (c *call) maySee(project relay.ID) bool {
	if c.User == nil {
		return project == c.Project
	}
	return memberOf(c.Projects, project)
}

// listProjects has one page: the projects of a person are few.
func (a *App) listProjects(c *call) error {
	p, _ := c.list()
	if err := p.err(); err != nil {
		return err
	}
	if c.User != nil {
		return replyList(c, db.Slice[relay.Project]{Rows: c.Projects}, projectShape)
	}
	own, err := a.store.Project(c.ctx, c.Project)
	if err != nil {
		return err
	}
	return replyList(c, db.Slice[relay.Project]{Rows: []relay.Project{own}}, projectShape)
}

func (a *App) getProject(c *call) error {
	p, err := a.project(c, "id")
	if err != nil {
		return err
	}
	return c.data(fiber.StatusOK, projectShape(&p))
}

func (a *App) createProject(c *call) error {
	var in projectIn
	if err := decodeBody(c.body(), &in, false); err != nil {
		return err
	}
	now := a.clock()
	p := relay.Project{ID: relay.NewID(), Name: in.Name.Value, CreatedAt: now, UpdatedAt: now}
	if err := p.Validate(); err != nil {
		return err
	}
	if err := a.store.CreateProject(c.ctx, &p, c.User.ID, c.Actor); err != nil {
		return err
	}
	return c.data(fiber.StatusCreated, projectShape(&p))
}

func (a *App) updateProject(c *call) error {
	found, err := a.project(c, "id")
	if err != nil {
		return err
	}
	var in projectIn
	if err := decodeBody(c.body(), &in, false); err != nil {
		return err
	}
	p, err := a.store.UpdateProject(c.ctx, found.ID, c.Actor, func(p *relay.Project) error {
		in.Name.change(&p.Name, "")
		return p.Validate()
	})
	if err != nil {
		return err
	}
	return c.data(fiber.StatusOK, projectShape(&p))
}
