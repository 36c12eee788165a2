package handlers

import (
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// afterLogin is where the person wanted to go.
func afterLogin(next string) string {
	path, _, _ := strings.Cut(next, "?")
	if !isLocal(next) || path == "/login" || path == "/logout" || path == "/setup" {
		return "/"
	}
	return next
}

func (a *App) loginPage(c *call) error {
	next := afterLogin(c.Query("next"))
	if c.User != nil {
		return c.Redirect(next, fiber.StatusSeeOther)
	}
	return a.showLogin(c, fiber.StatusOK, views.LoginModel{Next: next})
}

func (a *App) showLogin(c *call, status int, m views.LoginModel) error {
	m.Frame = a.bareFrame(c.Ctx)
	return render(c.ctx, c.Ctx, status, views.LoginPage(m))
}

func (a *App) loginForm(c *call) error {
	f, err := readForm(c.Ctx)
	if err != nil {
		return err
	}
	next := afterLogin(f.raw("next"))
	user, err := a.logIn(c.ctx, c.Actor.IP, f.text("email"), f.raw("password"))
	var refused *relay.Error
	switch relay.KindOf(err) {
	case relay.KindUnauthorized, relay.KindRateLimited:
		errors.As(err, &refused)
		setRetryAfter(c.Ctx, refused.RetryAfter)
		return a.showLogin(c, statusOf(refused.Kind), views.LoginModel{Email: f.raw("email"), Next: next, Error: refused.Detail})
	}
	if err != nil {
		return err
	}
	if err := a.startSession(c.ctx, user); err != nil {
		return err
	}
	return c.Redirect(next, fiber.StatusSeeOther)
}

func (a *App) logoutForm(c *call) error {
	if err := a.endSession(c); err != nil {
		return err
	}
	return c.Redirect("/login", fiber.StatusSeeOther)
}

func (a *App) setupPage(c *call) error {
	if c.User != nil {
		return c.Redirect("/", fiber.StatusSeeOther)
	}
	token := c.Query("token")
	if right, err := a.store.IsSetupToken(c.ctx, token); err != nil || !right {
		return errors.Join(err, a.setupRefused(c))
	}
	return a.showSetup(c, fiber.StatusOK, views.SetupModel{Token: token})
}

func (a *App) setupRefused(c *call) error {
	return a.showSetup(c, fiber.StatusForbidden, views.SetupModel{TokenInvalid: true})
}

// setUpBefore answers a set-up for which it is too late. Who pressed twice is the
// person that the first press made, and is let in.
func (a *App) setUpBefore(c *call, f *form) error {
	user, err := a.logIn(c.ctx, c.Actor.IP, f.text("email"), f.raw("password"))
	switch relay.KindOf(err) {
	case relay.KindUnauthorized, relay.KindRateLimited:
		return a.setupRefused(c)
	}
	if err != nil {
		return err
	}
	if err := a.startSession(c.ctx, user); err != nil {
		return err
	}
	return c.Redirect("/", fiber.StatusSeeOther)
}

func (a *App) showSetup(c *call, status int, m views.SetupModel) error {
	m.Frame = a.bareFrame(c.Ctx)
	m.Path = "/setup" // the token goes nowhere else
	return render(c.ctx, c.Ctx, status, views.SetupPage(m))
}

func (a *App) setupForm(c *call) error {
	f, err := readForm(c.Ctx)
	if err != nil {
		return err
	}
	right, err := a.store.IsSetupToken(c.ctx, f.raw("token"))
	if err != nil {
		return err
	}
	if !right {
		return a.setUpBefore(c, f)
	}
	user := relay.User{ID: relay.NewID(), Email: strings.ToLower(f.text("email")), CreatedAt: a.store.Now()}
	if err := f.checkFirstUser(&user); err != nil {
		return a.showSetup(c, fiber.StatusUnprocessableEntity, views.SetupModel{
			Token: f.raw("token"), Email: f.raw("email"), ProjectName: f.raw("project_name"), Errors: formErrors(err),
		})
	}
	if user.PasswordHash, err = a.hash(c, f.raw("password")); err != nil {
		return err
	}
	actor := relay.Actor{Kind: relay.ActorUser, ID: user.ID, Name: user.Email, IP: c.Actor.IP}
	err = a.store.CreateFirstUser(c.ctx, &user, f.text("project_name"), actor)
	if relay.KindOf(err) == relay.KindConflict {
		return a.setUpBefore(c, f)
	}
	if err != nil {
		return err
	}
	if err := a.startSession(c.ctx, user); err != nil {
		return err
	}
	return c.Redirect("/", fiber.StatusSeeOther)
}

func (f *form) checkFirstUser(user *relay.User) error {
	if !relay.IsEmail(user.Email) {
		f.faults.add("email", "must be an e-mail address")
	}
	if name := f.text("project_name"); name != "" && (&relay.Project{Name: name}).Validate() != nil {
		f.faults.add("project_name", "must have at most 200 characters and no control characters")
	}
	return f.check(CheckPassword("password", f.raw("password")))
}

// hash makes what is stored of a password, when it is this caller's turn.
func (a *App) hash(c *call, password string) (string, error) {
	leave, err := a.passwords.enter(c.ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	return HashPassword(password)
}
