package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

func keysPage(v *visit) error {
	return v.showKeys(fiber.StatusOK, views.KeysModel{Scope: relay.ScopeWrite})
}

func (v *visit) showKeys(status int, m views.KeysModel) error {
	m.Frame = v.at("/api-keys")
	var err error
	if m.Keys, err = everything(v.ctx, v.project.ID, v.store.Keys); err != nil {
		return err
	}
	return v.render(status, views.KeysPage(m))
}

// createKeyForm shows the new key in its own answer: it is written nowhere
// else, so there is no page to go on to that could show it.
func createKeyForm(v *visit, f *form) error {
	key, plain, err := v.app.newKey(v.project.ID, f.text("name"), relay.Scope(f.text("scope")))
	if err == nil {
		err = v.store.CreateKey(v.ctx, &key, v.Actor)
	}
	if isTyped(err) {
		return v.showKeys(fiber.StatusUnprocessableEntity, views.KeysModel{
			Name: f.raw("name"), Scope: relay.Scope(f.raw("scope")), Errors: formErrors(err),
		})
	}
	if err != nil {
		return err
	}
	return v.showKeys(fiber.StatusCreated, views.KeysModel{
		Scope: relay.ScopeWrite, New: &views.NewKey{Name: key.Name, Key: plain},
	})
}

func revokeKeyForm(v *visit, _ *form) error {
	id, err := v.pathID(relay.PrefixKey)
	if err != nil {
		return err
	}
	if err := v.store.RevokeKey(v.ctx, v.project.ID, id, v.Actor); err != nil {
		return err
	}
	return v.done("/api-keys", views.Flash{Text: "Revoked the key. Programs that use it are refused from now on."})
}
