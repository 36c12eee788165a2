package handlers

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

const (
	sessionLifetime = 7 * 24 * time.Hour
	sessionIdle     = 2 * time.Hour
	// sessionTouch is how often the time of last use is written: a write for
	// every page that someone looks at would be too many.
	sessionTouch = time.Minute
)

// What a session holds.
const (
	sessionUser    = "user"    // id
	sessionStamp   = "stamp"   // of the password, so that changing it ends other sessions
	sessionProject = "project" // id of the one that the person works in
	sessionSeen    = "seen"    // last use, seconds since 1970
	sessionFlash   = "flash"   // JSON, see pagecall.go
)

func (a *App) setUpSessions() {
	m := scs.New()
	m.Store = a.store.Sessions()
	m.Lifetime = sessionLifetime
	m.HashTokenInStore = true
	a.sessions, a.cookie = m, "reprise_session"
	if a.secureSite {
		a.cookie = "__Host-reprise"
	}
}

// loadSession puts the session of the request's cookie, or a new empty one,
// into the context of the request.
func (a *App) loadSession(c *fiber.Ctx) (context.Context, error) {
	ctx, err := a.sessions.Load(c.UserContext(), c.Cookies(a.cookie))
	if err != nil {
		return nil, err
	}
	c.SetUserContext(ctx)
	return ctx, nil
}

// saveSession stores what changed and tells the browser.
func (a *App) saveSession(ctx context.Context, c *fiber.Ctx) error {
	switch a.sessions.Status(ctx) {
	case scs.Modified:
		token, expiry, err := a.sessions.Commit(ctx)
		if err != nil {
			return err
		}
		a.setCookie(c, token, expiry)
	case scs.Destroyed:
		a.setCookie(c, "", time.Unix(1, 0))
	}
	return nil
}

func (a *App) setCookie(c *fiber.Ctx, token string, expires time.Time) {
	c.Cookie(&fiber.Cookie{
		Name: a.cookie, Value: token, Path: "/", Expires: expires,
		HTTPOnly: true, Secure: a.secureSite, SameSite: fiber.CookieSameSiteLaxMode,
	})
}

var errNoSession = &relay.Error{Kind: relay.KindUnauthorized, Detail: "You are not logged in, or your session has ended. Log in again."}

// person is whose session it is, with the projects that they are in.
func (a *App) person(ctx context.Context, c *fiber.Ctx) (*caller, error) {
	id, err := relay.ParseID(relay.PrefixUser, a.sessions.GetString(ctx, sessionUser))
	if err != nil {
		return nil, errNoSession
	}
	now := a.now()
	seen := time.Unix(a.sessions.GetInt64(ctx, sessionSeen), 0)
	if now.Sub(seen) > sessionIdle {
		return nil, errors.Join(errNoSession, a.sessions.Destroy(ctx))
	}
	user, projects, err := a.sessionOf(ctx, id)
	if errors.Is(err, errNoSession) {
		return nil, errors.Join(errNoSession, a.sessions.Destroy(ctx))
	}
	if err != nil {
		return nil, err
	}
	if now.Sub(seen) > sessionTouch {
		a.sessions.Put(ctx, sessionSeen, now.Unix())
	}
	return &caller{
		Actor:    relay.Actor{Kind: relay.ActorUser, ID: user.ID, Name: user.Email, IP: a.clientIP(c.Context())},
		Project:  chosenProject(a.sessions.GetString(ctx, sessionProject), projects),
		Scope:    relay.ScopeWrite,
		User:     &user,
		Projects: projects,
		session:  strings.Clone(c.Cookies(a.cookie)),
	}, nil
}

// sessionOf finds the person whose id a session has, with their projects. Somebody
// who is gone, or has another password since, has no session.
func (a *App) sessionOf(ctx context.Context, id relay.ID) (relay.User, []relay.Project, error) {
	user, err := a.store.User(ctx, id)
	if relay.KindOf(err) == relay.KindNotFound || err == nil && !sameStamp(a.sessions.GetString(ctx, sessionStamp), user) {
		return user, nil, errNoSession
	}
	if err != nil {
		return user, nil, err
	}
	projects, err := a.store.ProjectsOf(ctx, id)
	return user, projects, err
}

// sessionLives reports whether a person is still logged in and in the project
// that they work in.
func (a *App) sessionLives(ctx context.Context, c *caller) (bool, error) {
	ctx, err := a.sessions.Load(ctx, c.session)
	if err != nil {
		return false, err
	}
	if a.sessions.GetString(ctx, sessionUser) != relay.PrefixUser.Format(c.User.ID) {
		return false, nil
	}
	_, projects, err := a.sessionOf(ctx, c.User.ID)
	if errors.Is(err, errNoSession) {
		return false, nil
	}
	return memberOf(projects, c.Project), err
}

// chosenProject is the project that the session names if the person is still
// in it, else their first.
func chosenProject(name string, projects []relay.Project) relay.ID {
	id, _ := relay.ParseID(relay.PrefixProject, name)
	if memberOf(projects, id) {
		return id
	}
	if len(projects) > 0 {
		return projects[0].ID
	}
	return relay.ID{}
}

func memberOf(projects []relay.Project, id relay.ID) bool {
	for i := range projects {
		if projects[i].ID == id {
			return true
		}
	}
	return false
}

// startSession logs a person in, with a new token: one that was known before
// is worth nothing. What somebody else left in the session is forgotten.
func (a *App) startSession(ctx context.Context, user relay.User) error {
	if a.sessions.GetString(ctx, sessionUser) != relay.PrefixUser.Format(user.ID) {
		if err := a.sessions.Clear(ctx); err != nil {
			return err
		}
	}
	if err := a.sessions.RenewToken(ctx); err != nil {
		return err
	}
	a.sessions.Put(ctx, sessionUser, relay.PrefixUser.Format(user.ID))
	a.sessions.Put(ctx, sessionStamp, passwordStamp(user))
	a.sessions.Put(ctx, sessionSeen, a.now().Unix())
	return nil
}

// switchProject makes another project the one that the person works in.
func (a *App) switchProject(c *call, project relay.ID) error {
	if !memberOf(c.Projects, project) {
		return relay.ErrNotFound
	}
	a.sessions.Put(c.ctx, sessionProject, relay.PrefixProject.Format(project))
	return nil
}

// endSession logs a person out and records it.
func (a *App) endSession(c *call) error {
	if err := a.sessions.Destroy(c.ctx); err != nil {
		return err
	}
	return a.store.Audit(c.ctx, relay.AuditEntry{Actor: c.Actor, Action: "session.ended", Target: relay.PrefixUser.Format(c.Actor.ID)})
}

func passwordStamp(user relay.User) string {
	sum := sha256.Sum256([]byte(user.ID.UUID() + user.PasswordHash))
	return hex.EncodeToString(sum[:16])
}

func sameStamp(stamp string, user relay.User) bool {
	return subtle.ConstantTimeCompare([]byte(stamp), []byte(passwordStamp(user))) == 1
}
