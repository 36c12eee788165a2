package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

func keysPage(v *visit) error {
	m := views.KeysModel{Scope: relay.ScopeWrite}
	if made := v.takeOnce("key"); made.Value != "" {
		m.New = &views.NewKey{Name: made.Name, Key: made.Value}
	}
	return v.showKeys(fiber.StatusOK, m)
}

func (v *visit) showKeys(status int, m views.KeysModel) error {
	m.Frame = v.at("/api-keys")
	var err error
	if m.Keys, err = everything(v.ctx, v.project.ID, v.store.Keys); err != nil {
		return err
	}
	return v.render(status, views.KeysPage(m))
}

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
	return v.showOnce("/api-keys", once{Of: "key", Name: key.Name, Value: plain}, nil)
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
