package handlers

import (
	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

func createSourceForm(v *visit, f *form) error {
	src := v.app.newSource(v.project.ID)
	err := f.applySource(src)
	if err == nil {
		err = v.store.CreateSource(v.ctx, src, v.Actor)
	}
	if isTyped(err) {
		form := f.typedSource(relay.ID{}, false, err)
		return v.render(fiber.StatusUnprocessableEntity, views.SourceNewPage(views.SourceFormModel{Frame: v.at("/sources/new"), Form: form}))
	}
	if err != nil {
		return err
	}
	return v.done(sourcePath(src.ID), views.Flash{Text: "Created the source " + src.Name + ". Give its URL to the provider."})
}

func updateSourceForm(v *visit, f *form) error {
	src, err := v.source()
	if err != nil {
		return err
	}
	saved, err := v.store.UpdateSource(v.ctx, v.project.ID, src.ID, v.Actor, f.applySource)
	if isTyped(err) {
		secretSet := hasSecret(src.Verifier) && f.text("verifier_type") == sourceForm(src).VerifierType
		return v.showSource(fiber.StatusUnprocessableEntity, src, "settings", f.typedSource(src.ID, secretSet, err))
	}
	if err != nil {
		return err
	}
	return v.done(sourcePath(src.ID)+"?tab=settings", views.Flash{Text: "Saved the settings of " + saved.Name + "."})
}

func deleteSourceForm(v *visit, f *form) error {
	src, err := v.source()
	if err != nil {
		return err
	}
	if f.text("confirm") != src.Slug {
		form := sourceForm(src)
		form.Errors = map[string]string{"confirm": "must be " + src.Slug + ", to show that you mean this source"}
		return v.showSource(fiber.StatusUnprocessableEntity, src, "settings", form)
	}
	if err := v.store.DeleteSource(v.ctx, v.project.ID, src.ID, v.Actor); err != nil {
		return err
	}
	return v.done("/sources", views.Flash{Text: "Deleted the source " + src.Name + ". Its events stay until their retention ends."})
}
