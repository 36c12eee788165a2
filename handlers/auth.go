package handlers

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

// callTime is how long a call of the API or a page may take.
const callTime = 15 * time.Second

// needs is what a route asks of its caller.
type needs struct {
	write     bool // a key of scope write
	people    bool // a person; no key will do
	uncounted bool // has a limit of its own instead of the rate of calls
}

func (a *App) read(h handler) fiber.Handler  { return a.identified(needs{}, h) }
func (a *App) write(h handler) fiber.Handler { return a.identified(needs{write: true}, h) }
func (a *App) people(h handler) fiber.Handler {
	return a.identified(needs{write: true, people: true}, h)
}

// manual is write for replays and tests that people ask for one by one.
func (a *App) manual(h handler) fiber.Handler {
	return a.identified(needs{write: true, uncounted: true}, h)
}

// identified lets a handler of the API run for callers that meet its needs.
func (a *App) identified(need needs, h handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		setAPIHeaders(c.Response())
		key, given := presentedKey(c)
		if given {
			who, err := a.keyCaller(c, key)
			if err != nil {
				return err
			}
			return a.run(c.UserContext(), need, c, who, h)
		}
		if c.Cookies(a.cookie) == "" {
			return errNoKey
		}
		ctx, err := a.loadSession(c)
		if err != nil {
			return err
		}
		who, err := a.cookieCaller(ctx, c)
		if err == nil {
			err = a.run(ctx, need, c, who, h)
		}
		if saveErr := a.saveSession(ctx, c); err == nil {
			err = saveErr
		}
		return err
	}
}

func (a *App) run(ctx context.Context, need needs, c *fiber.Ctx, who *caller, h handler) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	call := &call{Ctx: c, caller: *who, ctx: ctx}
	c.Locals(callKey, call)
	if !need.uncounted {
		if err := a.allowCall(ctx, who); err != nil {
			return err
		}
	}
	if need.people && who.User == nil {
		return &relay.Error{Kind: relay.KindForbidden, Detail: "Only people may do this: log in instead of using a key."}
	}
	if need.write && who.Scope != relay.ScopeWrite {
		return &relay.Error{Kind: relay.KindForbidden, Detail: "This key may only read. Use one of scope write."}
	}
	if need.write && c.Method() == fiber.MethodPost {
		return a.idempotent(call, h)
	}
	return h(call)
}

var (
	errNoKey  = &relay.Error{Kind: relay.KindUnauthorized, Detail: "Send an API key as Authorization: Bearer KEY or X-API-Key: KEY, or log in."}
	errBadKey = &relay.Error{Kind: relay.KindUnauthorized, Detail: "This API key is not valid: it does not exist or was revoked."}
)

// presentedKey is the key in one of the three forms of header. A header that
// is there but holds no key counts as given: it does not fall back to the
// cookie.
func presentedKey(c *fiber.Ctx) (key string, given bool) {
	header := &c.Request().Header
	if v := header.Peek("X-Api-Key"); v != nil {
		return string(v), true
	}
	v := header.Peek(fiber.HeaderAuthorization)
	if v == nil {
		return "", false
	}
	key = strings.TrimSpace(string(v))
	if scheme, rest, ok := strings.Cut(key, " "); ok && strings.EqualFold(scheme, "bearer") {
		key = strings.TrimSpace(rest)
	}
	return key, true
}

func (a *App) keyCaller(c *fiber.Ctx, text string) (*caller, error) {
	if text == "" || strings.ContainsAny(text, " \t") {
		return nil, errBadKey
	}
	key, err := a.store.KeyByHash(c.UserContext(), relay.HashAPIKey(text))
	if relay.KindOf(err) == relay.KindNotFound {
		return nil, errBadKey
	}
	if err != nil {
		return nil, err
	}
	a.store.TouchKey(c.UserContext(), key.ID)
	return &caller{
		Actor:   relay.Actor{Kind: relay.ActorKey, ID: key.ID, Name: key.Name, IP: a.clientIP(c.Context())},
		Project: key.ProjectID,
		Scope:   key.Scope,
	}, nil
}

// projectHeader is how a person's program says which of their projects it
// means, if not the one that the dashboard shows.
const projectHeader = "X-Reprise-Project"

func (a *App) cookieCaller(ctx context.Context, c *fiber.Ctx) (*caller, error) {
	who, err := a.person(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := a.checkAPIOrigin(c); err != nil {
		return nil, err
	}
	if name := c.Get(projectHeader); name != "" {
		id, err := relay.ParseID(relay.PrefixProject, name)
		if err != nil {
			return nil, err
		}
		if !memberOf(who.Projects, id) {
			return nil, relay.ErrNotFound
		}
		who.Project = id
	}
	return who, nil
}
