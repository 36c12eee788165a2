package handlers

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// visit is the request of a person for a page of one project, or a form that
// they sent from there.
type visit struct {
	*call
	app     *App
	store   *db.Store
	project relay.Project
	now     time.Time
	frame   views.Frame
}

// pageHandler draws a page.
type pageHandler func(*visit) error

// deadLettersShown is where the number beside Dead letters stops.
const deadLettersShown = 10_000

// inProject lets a page handler run for a person who is in a project, and
// leads one who is in none to where one is made.
func (a *App) inProject(h pageHandler) fiber.Handler {
	return a.anywhere(func(v *visit) error {
		if v.project.ID.IsZero() {
			return v.done("/settings", views.Flash{Tone: views.ToneWarn, Text: "You are in no project yet. Create one to begin."})
		}
		return h(v)
	})
}

// formHandler takes a form that was sent from a page.
type formHandler func(*visit, *form) error

func posted(h formHandler) pageHandler {
	return func(v *visit) error {
		f, err := readForm(v.Ctx)
		if err != nil {
			return err
		}
		return v.pressed(f, h)
	}
}

func (a *App) formInProject(h formHandler) fiber.Handler { return a.inProject(posted(h)) }

// anywhere lets a page handler run for every person who is logged in.
func (a *App) anywhere(h pageHandler) fiber.Handler {
	return a.page(func(c *call) error {
		v := &visit{call: c, app: a, store: a.store, now: a.store.Now(), frame: a.frame(c)}
		for _, p := range c.Projects {
			if p.ID == c.Project {
				v.project = p
			}
		}
		if err := v.dress(); err != nil {
			return err
		}
		return h(v)
	})
}

// dress fills the parts of the frame that only a page drawn whole shows.
func (v *visit) dress() error {
	if v.isPoll() {
		return nil
	}
	if v.Method() == fiber.MethodGet {
		v.frame.Flash = v.app.takeFlash(v.call)
	}
	if _, err := v.app.queue.Status(v.ctx); err != nil {
		v.frame.Notices = append(v.frame.Notices, views.Notice{
			Text:   redisFault(err) + ", so deliveries wait.",
			Detail: "Webhooks are still received and kept. Deliveries go on by themselves as soon as Redis works again.",
		})
	}
	if v.project.ID.IsZero() {
		return nil
	}
	if idle, err := v.store.NobodyWorks(v.ctx, v.project.ID); err != nil {
		return err
	} else if idle {
		v.frame.Notices = append(v.frame.Notices, views.Notice{
			Text:   "No worker runs, so deliveries wait.",
			Detail: "Webhooks are still received and kept. Start `reprise worker` (or `reprise serve`) on this database; what waits goes out then.",
		})
	}
	if names := v.store.Config().Unreadable(v.project.ID); len(names) > 0 {
		v.frame.Notices = append(v.frame.Notices, views.Notice{
			Text:   "What is stored of " + strings.Join(names, ", ") + " cannot be read with this REPRISE_SECRET_KEY.",
			Detail: "Webhooks to these sources are refused with 503, and deliveries to these endpoints wait. Start with the key that was in use, or make them anew.",
		})
	}
	return v.countDead()
}

func (v *visit) countDead() (err error) {
	v.frame.DeadLetters, err = v.store.CountDeliveries(v.ctx, v.project.ID,
		db.DeliveryFilter{Status: relay.DeliveryDLQ, NewestOnly: true}, deadLettersShown)
	return err
}

// redisFault is what is wrong with Redis, in words that are safe to show.
func redisFault(err error) string {
	var said *relay.Error
	if errors.As(err, &said) {
		return said.Detail
	}
	return "Redis does not answer"
}

// frame is the frame of a page for a person, without what changes.
func (a *App) frame(c *call) views.Frame {
	f := a.bareFrame(c.Ctx)
	f.UserEmail, f.ProjectID = c.User.Email, c.Project
	for _, p := range c.Projects {
		f.Projects = append(f.Projects, views.ProjectItem{ID: p.ID, Name: p.Name})
		if p.ID == c.Project {
			f.ProjectName = p.Name
		}
	}
	return f
}

// bareFrame is the frame of a page for nobody in particular.
func (a *App) bareFrame(c *fiber.Ctx) views.Frame {
	return views.Frame{PublicURL: a.o.PublicURL, IngestURL: a.ingestSite(), Path: c.OriginalURL(), Version: a.o.Version, Now: a.store.Now()}
}

// at is the frame of a page that may be drawn in answer to a form: links on it
// lead back to the page's own address.
func (v *visit) at(path string) views.Frame {
	frame := v.frame
	if !isSafe(v.Method()) {
		frame.Path = path
	}
	return frame
}

// isPoll reports whether a script of the page asks for news of a part of it.
func (v *visit) isPoll() bool { return isPoll(v.Ctx) }

func isPoll(c *fiber.Ctx) bool { return c.Get("HX-Request") != "" }

// pathID reads the id in the path. On a page an id that cannot be is as
// unknown as one that is not there.
func (v *visit) pathID(prefix relay.Prefix) (relay.ID, error) {
	id, err := v.id("id", prefix)
	if err != nil {
		return id, relay.ErrNotFound
	}
	return id, nil
}

// render draws a page whole before any of it is sent.
func (v *visit) render(status int, page templ.Component) error {
	return render(v.ctx, v.Ctx, status, page)
}

// news answers a poll: with the part of the page that changes, and the number of
// dead letters, which may have changed with it.
func (v *visit) news(part templ.Component) error {
	if err := v.countDead(); err != nil {
		return err
	}
	return v.render(fiber.StatusOK, templ.Join(part, views.DeadNews(v.frame)))
}

func render(ctx context.Context, c *fiber.Ctx, status int, page templ.Component) error {
	var b bytes.Buffer
	if err := page.Render(ctx, &b); err != nil {
		return err
	}
	c.Type("html", "utf-8")
	return c.Status(status).Send(b.Bytes())
}

// done goes on to a page that says what was done.
func (v *visit) done(path string, flash views.Flash) error {
	v.app.setFlash(v.call, flash)
	return v.Redirect(path, fiber.StatusSeeOther)
}

// back is done with the page that the form was on.
func (v *visit) back(f *form, otherwise string, flash views.Flash) error {
	if to := f.raw("return_to"); isLocal(to) {
		otherwise = to
	}
	return v.done(otherwise, flash)
}
