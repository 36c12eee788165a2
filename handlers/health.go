package handlers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// healthz says that the process lives.
func (a *App) healthz(c *fiber.Ctx) error {
	setAPIHeaders(c.Response())
	return c.JSON(fiber.Map{"status": "ok"})
}

const readyTime = 2 * time.Second

// readyz says whether the database and Redis answer, and what Redis says if it
// refuses to work.
func (a *App) readyz(c *fiber.Ctx) error {
	setAPIHeaders(c.Response())
	ctx, cancel := context.WithTimeout(c.UserContext(), readyTime)
	defer cancel()
	status, word := fiber.StatusOK, "ok"
	say := func(err error) string {
		if err == nil {
			return "ok"
		}
		status, word = fiber.StatusServiceUnavailable, "degraded"
		var said *relay.Error
		if errors.As(err, &said) && strings.HasPrefix(said.Detail, "Redis ") {
			return said.Detail
		}
		return "no answer"
	}
	database := say(a.store.Ping(ctx))
	backend, err := a.queue.Status(ctx)
	redis := say(err)
	clock := "ok"
	if off := a.store.ClockOffset(); off.Abs() > db.ClockOff {
		clock = fmt.Sprintf("%s off the clock of the database, which is the one that counts", off.Round(time.Millisecond).Abs())
	}
	return c.Status(status).JSON(fiber.Map{
		"status": word, "database": database, "database_kind": a.store.Kind(), "redis": redis, "redis_kind": backend, "clock": clock,
	})
}
