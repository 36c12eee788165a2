package handlers

import (
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

// What only HTTP can get wrong. Their text is the code in the answer, as with
// the kinds of relay.
const (
	kindMethodNotAllowed relay.Kind = "METHOD_NOT_ALLOWED"
	kindTimeout          relay.Kind = "REQUEST_TIMEOUT"
	kindHeadersTooLarge  relay.Kind = "HEADERS_TOO_LARGE"
	kindNotImplemented   relay.Kind = "NOT_IMPLEMENTED"
)

var statusOfKind = map[relay.Kind]int{
	relay.KindInvalidID:       fiber.StatusBadRequest,
	relay.KindInvalidRequest:  fiber.StatusBadRequest,
	relay.KindValidation:      fiber.StatusUnprocessableEntity,
	relay.KindUnauthorized:    fiber.StatusUnauthorized,
	relay.KindForbidden:       fiber.StatusForbidden,
	relay.KindNotFound:        fiber.StatusNotFound,
	relay.KindConflict:        fiber.StatusConflict,
	relay.KindGone:            fiber.StatusGone,
	relay.KindNotReplayable:   fiber.StatusConflict,
	relay.KindReplayLimited:   fiber.StatusTooManyRequests,
	relay.KindTestFireLimited: fiber.StatusTooManyRequests,
	relay.KindRateLimited:     fiber.StatusTooManyRequests,
	relay.KindTooLarge:        fiber.StatusRequestEntityTooLarge,
	relay.KindUnavailable:     fiber.StatusServiceUnavailable,
	relay.KindInternal:        fiber.StatusInternalServerError,
	kindMethodNotAllowed:      fiber.StatusMethodNotAllowed,
	kindTimeout:               fiber.StatusRequestTimeout,
	kindHeadersTooLarge:       fiber.StatusRequestHeaderFieldsTooLarge,
	kindNotImplemented:        fiber.StatusNotImplemented,
}

func statusOf(kind relay.Kind) int {
	if status, ok := statusOfKind[kind]; ok {
		return status
	}
	return fiber.StatusInternalServerError
}

// handleError answers every error that a handler or the server itself has: it
// is the one place that turns a kind into a status and a form.
func (a *App) handleError(c *fiber.Ctx, err error) error {
	// What is no request at all never reached front, and has no path to judge by.
	unread := len(c.Response().Header.Peek(requestIDHeader)) == 0
	if unread {
		c.Set(requestIDHeader, newRequestID())
	}
	e := a.explain(err)
	status := statusOf(e.Kind)
	switch e.Kind {
	case relay.KindTooLarge, kindTimeout, kindHeadersTooLarge:
		c.Context().SetConnectionClose()
		linger(c.Context().Conn())
	}
	a.logFailure(c, status, err)
	setRetryAfter(c, e.RetryAfter)
	if unread || wantsProblem(c.Path()) {
		writeProblem(c.Response(), status, e)
		return nil
	}
	return a.errorPage(c, status, e)
}

var errNothing = &relay.Error{Kind: relay.KindNotFound, Detail: "There is nothing at this address."}

// explain makes of any error one that is safe to show.
func (a *App) explain(err error) *relay.Error {
	var known *relay.Error
	if errors.As(err, &known) {
		return known
	}
	var web *fiber.Error
	if !errors.As(err, &web) {
		return &relay.Error{Kind: relay.KindInternal, Detail: "Something went wrong on our side. The request id helps to find out what.", Cause: err}
	}
	switch web.Code {
	case fiber.StatusNotFound:
		return errNothing
	case fiber.StatusMethodNotAllowed:
		return &relay.Error{Kind: kindMethodNotAllowed, Detail: "This address does not take this method; the header Allow lists those that it takes."}
	case fiber.StatusRequestEntityTooLarge:
		return tooLarge(a.o.MaxBodyBytes)
	case fiber.StatusRequestTimeout:
		return &relay.Error{Kind: kindTimeout, Detail: "The request did not arrive in time."}
	case fiber.StatusRequestHeaderFieldsTooLarge:
		return &relay.Error{Kind: kindHeadersTooLarge, Detail: "The headers of the request are too large."}
	default:
		return &relay.Error{Kind: relay.KindInvalidRequest, Detail: "The request is not valid HTTP.", Cause: err}
	}
}

// logFailure records what is our fault, with its cause.
func (a *App) logFailure(c *fiber.Ctx, status int, err error) {
	if status < 500 {
		return
	}
	level := slog.LevelError
	if status == fiber.StatusServiceUnavailable {
		level = slog.LevelWarn
	}
	a.log.Log(c.UserContext(), level, "request failed", "method", c.Method(), "route", c.Route().Path, "status", status,
		"request_id", requestID(c.Response()), "error", err)
}

func setRetryAfter(c *fiber.Ctx, wait time.Duration) {
	if wait > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10))
	}
}

// wantsProblem reports whether a path belongs to programs rather than people.
func wantsProblem(path string) bool {
	for _, prefix := range []string{"/api/", "/v1/", "/in/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	switch path {
	case "/healthz", "/readyz", "/metrics", "/api", "/v1", "/in":
		return true
	}
	return false
}
