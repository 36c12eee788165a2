package handlers

import (
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

var errCrossSite = &relay.Error{Kind: relay.KindForbidden,
	Detail: "This request comes from another site. Open the dashboard itself and try again."}

func isSafe(method string) bool {
	return method == fiber.MethodGet || method == fiber.MethodHead
}

// origin is where a request comes from, as far as the browser tells.
type origin byte

const (
	originUntold  origin = iota // no browser, or a very old one
	originOurs                  // a page of ours, or the person typed the address
	originForeign               // another site, or one that hides
)

// originOf judges by Sec-Fetch-Site, which pages cannot forge; browsers that
// do not send it send Origin with every request that changes something.
func (a *App) originOf(c *fiber.Ctx) origin {
	switch c.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return originOurs
	case "":
	default:
		return originForeign
	}
	from := c.Get(fiber.HeaderOrigin)
	if from == "" {
		from = c.Get(fiber.HeaderReferer)
	}
	if from == "" {
		return originUntold
	}
	u, err := url.Parse(from)
	if err != nil || u.Host == "" {
		return originForeign
	}
	if a.isOurs(u) || strings.EqualFold(u.Host, string(c.Request().Header.Host())) {
		return originOurs
	}
	return originForeign
}

func (a *App) isOurs(u *url.URL) bool {
	return strings.EqualFold(u.Scheme+"://"+u.Host, a.o.PublicURL)
}

// checkPageOrigin protects the dashboard: what changes something must come
// from a page of ours.
func (a *App) checkPageOrigin(c *fiber.Ctx, loggedIn bool) error {
	if isSafe(c.Method()) {
		return nil
	}
	switch from := a.originOf(c); {
	case from == originForeign, from == originUntold && loggedIn:
		return errCrossSite
	}
	return nil
}

// checkAPIOrigin protects calls that a cookie authenticates. A caller that
// tells nothing is let through unless a form of another site could have made
// the request: no form can send JSON (https://fetch.spec.whatwg.org, 2.2.2).
func (a *App) checkAPIOrigin(c *fiber.Ctx) error {
	switch a.originOf(c) {
	case originForeign:
		return errCrossSite
	case originUntold:
		if isSafe(c.Method()) {
			return nil
		}
		kind, _, _ := strings.Cut(strings.ToLower(c.Get(fiber.HeaderContentType)), ";")
		switch strings.TrimSpace(kind) {
		case fiber.MIMEApplicationForm, fiber.MIMEMultipartForm, fiber.MIMETextPlain:
			return errCrossSite
		case "":
			if len(c.Request().Body()) > 0 {
				return errCrossSite
			}
		}
	}
	return nil
}
