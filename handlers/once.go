package handlers

import (
	"encoding/json"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/views"
)

// sessionOnce holds, sealed, a secret that the next page shows, once.
const sessionOnce = "once"

// once is a secret that was just made, and what it is of.
type once struct{ Of, Name, Value string }

// showOnce leads on to a page that shows a secret. Reloading it makes no second
// one and does not show it again.
func (v *visit) showOnce(path string, secret once, flash *views.Flash) error {
	text, err := json.Marshal(secret)
	if err != nil {
		return err
	}
	v.app.sessions.Put(v.ctx, sessionOnce, v.store.Seal(sessionOnce, v.User.ID, text))
	if flash == nil {
		return v.Redirect(path, fiber.StatusSeeOther)
	}
	return v.done(path, *flash)
}

// takeOnce is the secret that was left for the page of something; empty if there
// is none.
func (v *visit) takeOnce(of string) once {
	sealed := v.app.sessions.GetBytes(v.ctx, sessionOnce)
	var secret once
	text, err := v.store.Unseal(sessionOnce, v.User.ID, sealed)
	if len(sealed) == 0 || err != nil || json.Unmarshal(text, &secret) != nil || secret.Of != of {
		return once{}
	}
	v.app.sessions.Remove(v.ctx, sessionOnce)
	return secret
}
