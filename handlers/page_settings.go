package handlers

import (
	"strconv"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

func settingsPage(v *visit) error { return v.showSettings(fiber.StatusOK, views.SettingsModel{}) }

// showSettings draws the page with what a form that failed left in m.
func (v *visit) showSettings(status int, m views.SettingsModel) error {
	m.Frame = v.at("/settings")
	if m.ProjectErrors == nil {
		m.Name = v.project.Name
	}
	queue := views.Fact{Name: "Queue", Note: "answers"}
	var err error
	if queue.Value, err = v.app.queue.Status(v.ctx); err != nil {
		queue.Note = redisFault(err) + "; deliveries wait until that is mended"
	}
	m.System = []views.Fact{
		{Name: "Database", Value: v.store.Kind()},
		queue,
		{Name: "Largest body", Value: bytesText(v.app.o.MaxBodyBytes), Note: "of one webhook"},
		{Name: "Manual replays", Value: perMinute(v.app.o.ReplaysPerMinute), Note: "of one endpoint"},
		{Name: "Test events", Value: perMinute(v.app.o.TestFiresPerMinute), Note: "to one endpoint"},
		{Name: "API calls", Value: perMinute(v.app.o.APIRatePerMinute), Note: "of one key"},
	}
	return v.render(status, views.SettingsPage(m))
}

func bytesText(n int) string {
	if n%(1<<20) == 0 {
		return strconv.Itoa(n>>20) + " MiB"
	}
	return strconv.Itoa(n) + " bytes"
}

func perMinute(n int) string {
	if n == 0 {
		return "no limit"
	}
	return strconv.Itoa(n) + " a minute"
}

// changePasswordForm ends every other session of the person.
func changePasswordForm(v *visit, f *form) error {
	right, err := v.app.isPassword(v.call, f.raw("current_password"))
	if err != nil {
		return err
	}
	if !right {
		f.faults.add("current_password", "is not your present password")
	}
	if err := f.check(CheckPassword("new_password", f.raw("new_password"))); err != nil {
		return v.showSettings(fiber.StatusUnprocessableEntity, views.SettingsModel{PasswordErrors: formErrors(err)})
	}
	user := *v.User
	if user.PasswordHash, err = v.app.hash(v.call, f.raw("new_password")); err != nil {
		return err
	}
	if err := v.store.SetPassword(v.ctx, user.ID, user.PasswordHash, v.Actor); err != nil {
		return err
	}
	if err := v.app.startSession(v.ctx, user); err != nil {
		return err
	}
	return v.done("/settings", views.Flash{Text: "Changed your password. Your other sessions have ended."})
}

// isPassword compares the password of the person who is logged in. Guesses
// are limited as those of a log-in are.
func (a *App) isPassword(c *call, password string) (bool, error) {
	key := "password:" + c.User.ID.Hex()
	succeeded, err := a.tryPassword(c.ctx, key, accountFailures)
	if err != nil {
		return false, err
	}
	leave, err := a.passwords.enter(c.ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	right := len(password) <= maxPassword && a.passwords.match(password, c.User.PasswordHash)
	if right {
		succeeded()
	}
	return right, nil
}

func renameProjectForm(v *visit, f *form) error {
	saved, err := v.store.UpdateProject(v.ctx, v.project.ID, v.Actor, func(p *relay.Project) error {
		p.Name = f.text("name")
		return p.Validate()
	})
	if isTyped(err) {
		return v.showSettings(fiber.StatusUnprocessableEntity, views.SettingsModel{Name: f.raw("name"), ProjectErrors: formErrors(err)})
	}
	if err != nil {
		return err
	}
	return v.done("/settings", views.Flash{Text: "The project is called " + saved.Name + " now."})
}
