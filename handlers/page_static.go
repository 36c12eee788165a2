package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/static"
)

// staticFile serves what pages are drawn with. The name holds a hash of the
// content, so a browser need never ask again.
func staticFile(c *fiber.Ctx) error {
	data, contentType, ok := static.Open(c.Path())
	if !ok {
		return fiber.ErrNotFound
	}
	c.Set(fiber.HeaderContentType, contentType)
	c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; sandbox")
	return c.Send(data)
}
