package handlers

import (
	"context"
	"crypto/sha256"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"
	maxIdempotencyKey = 255
)

// idempotent runs a POST once for each Idempotency-Key of a caller: a
// repetition gets the answer of the first. What failed may be tried again
// under the same key.
func (a *App) idempotent(c *call, h handler) error {
	key := strings.TrimSpace(c.Get(idempotencyHeader))
	if key == "" {
		return h(c)
	}
	if len(key) > maxIdempotencyKey || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
		return relay.Invalid(relay.FieldError{Field: idempotencyHeader, Message: "must be 1 to 255 visible ASCII characters"})
	}
	stored, err := a.store.BeginIdempotent(c.ctx, c.ID(), key, c.fingerprint())
	if err != nil {
		return err
	}
	if stored != nil {
		c.Set(replayedHeader, "true")
		if stored.Location != "" {
			c.Location(stored.Location)
		}
		c.Status(stored.Status)
		c.Response().Header.SetContentType(stored.ContentType)
		c.Response().SetBody(stored.Body)
		return nil
	}
	// What happened must be noted even if the time of the call is over.
	ctx := context.WithoutCancel(c.ctx)
	done := false
	defer func() {
		if !done {
			if err := a.store.AbortIdempotent(ctx, c.ID(), key); err != nil {
				a.log.WarnContext(ctx, "an Idempotency-Key stays taken for a minute", "request_id", requestID(c.Response()), "error", err)
			}
		}
	}()
	if err := h(c); err != nil {
		return err
	}
	answer := db.StoredResponse{
		Status:      c.Response().StatusCode(),
		ContentType: string(c.Response().Header.ContentType()),
		Location:    string(c.Response().Header.Peek(fiber.HeaderLocation)),
		Body:        append([]byte(nil), c.Response().Body()...),
	}
	done = true
	return a.store.FinishIdempotent(ctx, c.ID(), key, answer)
}

// fingerprint tells one request of a caller from another.
func (c *call) fingerprint() []byte {
	sum := sha256.New()
	for _, part := range [][]byte{c.Project[:], []byte(c.Method()), c.Request().URI().RequestURI(), []byte(c.Get(fiber.HeaderContentType))} {
		sum.Write(part)
		sum.Write([]byte{0})
	}
	sum.Write(c.body())
	return sum.Sum(nil)
}
