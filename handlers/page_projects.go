package handlers

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

func createProjectForm(v *visit, f *form) error {
	p := relay.Project{ID: relay.NewID(), Name: f.text("name"), CreatedAt: v.now, UpdatedAt: v.now}
	err := p.Validate()
	if err == nil {
		err = v.store.CreateProject(v.ctx, &p, v.User.ID, v.Actor)
	}
	if isTyped(err) {
		return v.showSettings(fiber.StatusUnprocessableEntity, views.SettingsModel{NewName: f.raw("name"), CreateErrors: formErrors(err)})
	}
	if err != nil {
		return err
	}
	v.Projects = append(v.Projects, p)
	if err := v.app.switchProject(v.call, p.ID); err != nil {
		return err
	}
	return v.done("/", views.Flash{Text: "Created the project " + p.Name + ". You are in it now."})
}

func switchProjectForm(v *visit, f *form) error {
	id, err := relay.ParseID(relay.PrefixProject, f.text("project_id"))
	if err != nil {
		return relay.ErrNotFound
	}
	if err := v.app.switchProject(v.call, id); err != nil {
		return err
	}
	return v.Redirect(sectionOf(f.raw("return_to")), fiber.StatusSeeOther)
}

// sectionOf is the list that a page belongs to: what the page shows may be
// unknown to another project, and so may its filters.
func sectionOf(path string) string {
	if !isLocal(path) {
		return "/"
	}
	section, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "?")
	section, _, _ = strings.Cut(section, "/")
	return "/" + section
}
