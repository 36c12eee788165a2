package handlers

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

// publishIn is an event that a program publishes.
type publishIn struct {
	EventType      opt[string]          `json:"event_type"`
	Data           opt[json.RawMessage] `json:"data"`
	IdempotencyKey opt[string]          `json:"idempotency_key"`
	SourceID       opt[string]          `json:"source_id"`
}

type publishOut struct {
	eventOut
	EventID   string `json:"event_id"`
	Duplicate bool   `json:"duplicate"`
}

const maxEventText = 255

func (in *publishIn) check() error {
	var f faults
	if plain := strings.TrimSpace(in.EventType.Value); plain == "" || plain != in.EventType.Value || !isEventText(plain) {
		f.add("event_type", "must be 1 to 255 bytes without control characters or spaces around it")
	}
	if !in.Data.Given {
		f.add("data", "must be given: any JSON value; it is the body that is delivered")
	}
	if in.Data.Null {
		in.Data.Value = json.RawMessage("null")
	}
	if in.IdempotencyKey.has() && (in.IdempotencyKey.Value == "" || !isEventText(in.IdempotencyKey.Value)) {
		f.add("idempotency_key", "must be 1 to 255 bytes without control characters")
	}
	return f.err()
}

func isEventText(s string) bool {
	return len(s) <= maxEventText && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func (a *App) publishEvent(c *call) error {
	if err := c.inProject(); err != nil {
		return err
	}
	var in publishIn
	if err := decodeBody(c.body(), &in, false); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	src, err := a.publishSource(c, in.SourceID)
	if err != nil {
		return err
	}
	if src.IsDisabled {
		return errSourceOff
	}
	now := a.clock()
	if src.RateLimit > 0 {
		if ok, wait := a.sources.take(src.ID, src.RateLimit, now); !ok {
			return &relay.Error{Kind: relay.KindRateLimited, Detail: "This source receives too many events. Try again later.", RetryAfter: wait}
		}
	}
	// The body is the bytes of data, exactly as they stand in the request. Of
	// its headers only what describes them is kept: the others hold the key.
	got := a.judge(src, relay.Payload{
		Method: fiber.MethodPost, IP: c.Actor.IP, Body: in.Data.Value,
		Headers: relay.Headers{{Name: fiber.HeaderContentType, Value: fiber.MIMEApplicationJSON}},
	}, now)
	got.event.EventType, got.event.IdempotencyKey = in.EventType.Value, in.IdempotencyKey.Value
	got.event.Verdict, got.event.SignatureValid = relay.VerdictUnverified, true
	a.plan(got, src)
	event, _, err := a.receive(c.ctx, got)
	if err != nil {
		return err
	}
	if event.Status != relay.EventDuplicate {
		return c.data(fiber.StatusAccepted, publishOut{eventShape(&event), relay.PrefixEvent.Format(event.ID), false})
	}
	first, err := a.store.Event(c.ctx, c.Project, event.DuplicateOf)
	if relay.KindOf(err) == relay.KindNotFound { // its retention is over
		first, err = event, nil
	}
	if err != nil {
		return err
	}
	return c.data(fiber.StatusOK, publishOut{eventShape(&first), relay.PrefixEvent.Format(event.DuplicateOf), true})
}

// publishSource is the source that is named, or the project's own for the API,
// which is made when it is first needed.
func (a *App) publishSource(c *call, named opt[string]) (*relay.Source, error) {
	if named.has() {
		id, err := relay.ParseID(relay.PrefixSource, named.Value)
		if err != nil {
			return nil, withField(err, "source_id")
		}
		src, err := a.store.Source(c.Project, id)
		if err != nil || src.Type != relay.SourceRESTAPI {
			return nil, relay.Invalid(relay.FieldError{Field: "source_id", Message: "must be a source of this project of type rest_api"})
		}
		return src, nil
	}
	if src, ok := a.apiSource(c.Project); ok {
		return src, nil
	}
	src := a.newSource(c.Project)
	src.Name, src.Type = "API", relay.SourceRESTAPI
	src.Slug = relay.Slugify("api", c.Project.Hex()[20:])
	err := a.store.CreateSource(c.ctx, src, c.Actor)
	if relay.KindOf(err) == relay.KindConflict {
		if made, ok := a.apiSource(c.Project); ok { // by another call just now
			return made, nil
		}
	}
	return src, err
}

// apiSource is the project's oldest source of type rest_api.
func (a *App) apiSource(project relay.ID) (*relay.Source, bool) {
	for _, src := range a.store.Config().SourcesOf(project) {
		if src.Type == relay.SourceRESTAPI {
			return src, true
		}
	}
	return nil, false
}
