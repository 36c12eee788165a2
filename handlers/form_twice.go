package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// pressWait is how often a second press looks whether the first is done.
const pressWait = 50 * time.Millisecond

var errFirstPress = &relay.Error{Kind: relay.KindConflict,
	Detail: "What you sent first is still being done. Reload this page in a while: it leads to what came of it."}

// pressed carries out a form, and one that makes something once: a second press
// of its button leads to what the first made. Which is which is kept in the
// database, for any process may get the second. A form that was refused may be
// sent again, and one that was changed is another.
func (v *visit) pressed(f *form, h formHandler) error {
	if f.raw(views.FormToken) == "" {
		return h(v, f)
	}
	sum := sha256.Sum256([]byte(v.Path() + "\n" + f.values.Encode()))
	key := "form " + hex.EncodeToString(sum[:])
	first, err := v.firstPress(key, sum[:])
	if err != nil {
		return err
	}
	if first != nil {
		v.leaveSession = true // the first press left there what the next page shows
		return v.Redirect(first.Location, fiber.StatusSeeOther)
	}
	ctx := context.WithoutCancel(v.ctx)
	v.after = func(err error) {
		if err == nil && v.Response().StatusCode() == fiber.StatusSeeOther {
			err = v.store.FinishIdempotent(ctx, v.ID(), key, db.StoredResponse{
				Status: fiber.StatusSeeOther, Location: string(v.Response().Header.Peek(fiber.HeaderLocation)),
			})
		} else {
			err = v.store.AbortIdempotent(ctx, v.ID(), key)
		}
		if err != nil {
			v.app.log.WarnContext(ctx, "a form cannot be sent again for a minute", "request_id", requestID(v.Response()), "error", err)
		}
	}
	return h(v, f)
}

// firstPress waits for the press that came first, and gives its answer: nil if
// this is the first, or if that one was refused.
func (v *visit) firstPress(key string, sum []byte) (*db.StoredResponse, error) {
	for {
		first, err := v.store.BeginIdempotent(v.ctx, v.ID(), key, sum)
		if relay.KindOf(err) != relay.KindConflict {
			return first, err
		}
		select {
		case <-v.ctx.Done():
			return nil, errFirstPress
		case <-time.After(pressWait):
		}
	}
}
