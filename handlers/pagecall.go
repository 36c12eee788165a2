package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// contentPolicy lets pages use what this program serves, and nothing else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

func (a *App) setPageHeaders(c *fiber.Ctx) {
	c.Set("Content-Security-Policy", contentPolicy)
	c.Set("X-Content-Type-Options", "nosniff")
	c.Set("X-Frame-Options", "DENY")
	c.Set("Referrer-Policy", "same-origin")
	c.Set("Cache-Control", "no-store")
	if a.secureSite {
		c.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// page lets a handler run for people who are logged in, and leads others to
// the log-in.
func (a *App) page(h handler) fiber.Handler {
	return a.visited(func(ctx context.Context, c *fiber.Ctx) (*caller, error) {
		who, err := a.person(ctx, c)
		if err != nil {
			return nil, err
		}
		return who, a.checkPageOrigin(c, true)
	}, h)
}

// open lets a handler run for everybody: log-in and set-up. The call's User is
// set if the person is logged in.
func (a *App) open(h handler) fiber.Handler {
	return a.visited(func(ctx context.Context, c *fiber.Ctx) (*caller, error) {
		if err := a.checkPageOrigin(c, false); err != nil {
			return nil, err
		}
		who, err := a.person(ctx, c)
		if errors.Is(err, errNoSession) {
			return &caller{Actor: relay.Actor{Kind: relay.ActorSystem, IP: a.clientIP(c.Context())}}, nil
		}
		return who, err
	}, h)
}

func (a *App) visited(admit func(context.Context, *fiber.Ctx) (*caller, error), h handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		a.setPageHeaders(c)
		session, err := a.loadSession(c)
		if err != nil {
			return err
		}
		call := &call{Ctx: c}
		who, err := admit(session, c)
		if err == nil {
			ctx, cancel := context.WithTimeout(session, callTime)
			defer cancel()
			call.caller, call.ctx = *who, ctx
			c.Locals(callKey, call)
			err = h(call)
		}
		if errors.Is(err, errNoSession) {
			err = toLogin(c)
		}
		if !call.leaveSession {
			if saveErr := a.saveSession(session, c); err == nil {
				err = saveErr
			}
		}
		if call.after != nil {
			call.after(err)
		}
		return err
	}
}

// toLogin sends a browser to the log-in, and back afterwards to where it was.
func toLogin(c *fiber.Ctx) error {
	target := "/login"
	if back := string(c.Request().RequestURI()); isSafe(c.Method()) && back != "/" && isLocal(back) && c.Get("HX-Request") == "" {
		target += "?next=" + url.QueryEscape(back)
	}
	if c.Get("HX-Request") != "" {
		c.Set("HX-Redirect", target)
		return c.SendStatus(fiber.StatusNoContent)
	}
	return c.Redirect(target, fiber.StatusSeeOther)
}

// isLocal reports whether a path leads nowhere but to this site.
func isLocal(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && !strings.HasPrefix(path, `/\`) &&
		!strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// setFlash keeps a message for the next page that the person sees.
func (a *App) setFlash(c *call, f views.Flash) {
	text, err := json.Marshal(f)
	if err != nil { // plain strings always marshal
		panic(err)
	}
	a.sessions.Put(c.ctx, sessionFlash, string(text))
}

// takeFlash is the message kept for this page, nil if there is none.
func (a *App) takeFlash(c *call) *views.Flash {
	text := a.sessions.PopString(c.ctx, sessionFlash)
	if text == "" {
		return nil
	}
	var f views.Flash
	if json.Unmarshal([]byte(text), &f) != nil {
		return nil
	}
	return &f
}
