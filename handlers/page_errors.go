package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// errorPage shows an error to people. It asks the store for nothing: the
// error may be that the store does not answer.
func (a *App) errorPage(c *fiber.Ctx, status int, e *relay.Error) error {
	a.setPageHeaders(c)
	if isPoll(c) {
		c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
		return c.Status(status).SendString(e.Detail)
	}
	m := views.ErrorModel{Frame: a.bareFrame(c), Status: status, Detail: e.Detail, RequestID: requestID(c.Response())}
	if known := callOf(c); known != nil && known.User != nil {
		m.Frame = a.frame(known)
	}
	if !isSafe(c.Method()) {
		m.Path = "/" // there is no page at the address of a form
	}
	return render(c.UserContext(), c, status, views.ErrorPage(m))
}
