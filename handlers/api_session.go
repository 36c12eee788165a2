package handlers

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

type loginIn struct {
	Email    opt[string] `json:"email"`
	Password opt[string] `json:"password"`
}

type sessionOut struct {
	User     userOut      `json:"user"`
	Projects []projectOut `json:"projects"`
	// ProjectID is the one that calls are about, unless they name another in
	// X-Reprise-Project.
	ProjectID *string `json:"project_id"`
}

type userOut struct {
	ID          string  `json:"id"`
	Email       string  `json:"email"`
	CreatedAt   *string `json:"created_at"`
	LastLoginAt *string `json:"last_login_at"`
}

// createSession logs a person in. It needs no caller, and so checks by itself
// what identified checks for others.
func (a *App) createSession(c *fiber.Ctx) error {
	setAPIHeaders(c.Response())
	if a.originOf(c) == originForeign {
		return errCrossSite
	}
	var in loginIn
	if err := decodeBody(c.Request().Body(), &in, false); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	session, err := a.loadSession(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(session, callTime)
	defer cancel()
	user, err := a.logIn(ctx, a.clientIP(c.Context()), in.Email.Value, in.Password.Value)
	if err != nil {
		return err
	}
	if err := a.startSession(ctx, user); err != nil {
		return err
	}
	projects, err := a.store.ProjectsOf(ctx, user.ID)
	if err != nil {
		return err
	}
	if err := a.saveSession(session, c); err != nil {
		return err
	}
	out := sessionOut{
		User:      userOut{relay.PrefixUser.Format(user.ID), user.Email, timeOrNull(user.CreatedAt), timeOrNull(user.LastLoginAt)},
		Projects:  make([]projectOut, len(projects)),
		ProjectID: idOrNull(relay.PrefixProject, chosenProject(a.sessions.GetString(ctx, sessionProject), projects)),
	}
	for i := range projects {
		out.Projects[i] = projectShape(&projects[i])
	}
	return (&call{Ctx: c}).data(fiber.StatusOK, out)
}

func (in *loginIn) check() error {
	var f faults
	if in.Email.Value == "" {
		f.add("email", "must not be empty")
	}
	if in.Password.Value == "" || len(in.Password.Value) > maxPassword {
		f.add("password", "must have 1 to 1024 bytes")
	}
	return f.err()
}

func (a *App) deleteSession(c *call) error {
	if err := a.endSession(c); err != nil {
		return err
	}
	return c.noContent()
}
