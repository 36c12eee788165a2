package handlers

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
)

type keyIn struct {
	Name  opt[string] `json:"name"`
	Scope opt[string] `json:"scope"`
}

type keyOut struct {
	ID         string      `json:"id"`
	ProjectID  string      `json:"project_id"`
	Name       string      `json:"name"`
	Scope      relay.Scope `json:"scope"`
	Key        string      `json:"key,omitempty"` // only when it was just made
	Hint       string      `json:"hint"`
	CreatedAt  *string     `json:"created_at"`
	LastUsedAt *string     `json:"last_used_at"`
	RevokedAt  *string     `json:"revoked_at"`
}

func keyShape(k *relay.APIKey) keyOut {
	return keyOut{
		ID: relay.PrefixKey.Format(k.ID), ProjectID: relay.PrefixProject.Format(k.ProjectID), Name: k.Name, Scope: k.Scope, Hint: k.Hint,
		CreatedAt: timeOrNull(k.CreatedAt), LastUsedAt: timeOrNull(k.LastUsedAt), RevokedAt: timeOrNull(k.RevokedAt),
	}
}

func (a *App) listKeys(c *call) error {
	p, page := c.list()
	if err := p.err(); err != nil {
		return err
	}
	rows, err := a.store.Keys(c.ctx, c.Project, page)
	if err != nil {
		return err
	}
	return replyList(c, rows, keyShape)
}

func (a *App) createKey(c *call) error {
	if err := c.inProject(); err != nil {
		return err
	}
	var in keyIn
	if err := decodeBody(c.body(), &in, false); err != nil {
		return err
	}
	key, text, err := a.newKey(c.Project, in.Name.Value, relay.Scope(in.Scope.Value))
	if err != nil {
		return err
	}
	if err := a.store.CreateKey(c.ctx, &key, c.Actor); err != nil {
		return err
	}
	out := keyShape(&key)
	out.Key = text
	return c.data(fiber.StatusCreated, out)
}

const maxKeyName = 200

// newKey makes a key and the text of it, which is nowhere else.
func (a *App) newKey(project relay.ID, name string, scope relay.Scope) (key relay.APIKey, text string, err error) {
	var f faults
	switch {
	case strings.TrimSpace(name) == "":
		f.add("name", "must not be empty")
	case utf8.RuneCountInString(name) > maxKeyName || strings.ContainsFunc(name, unicode.IsControl):
		f.add("name", "must have at most 200 characters and no control characters")
	}
	if scope != relay.ScopeRead && scope != relay.ScopeWrite {
		f.add("scope", "must be read or write")
	}
	if err := f.err(); err != nil {
		return relay.APIKey{}, "", err
	}
	text = relay.NewAPIKey()
	return relay.APIKey{
		ID: relay.NewID(), ProjectID: project, Name: name, Scope: scope, Hint: relay.HintAPIKey(text), Hash: relay.HashAPIKey(text),
		CreatedAt: a.clock(),
	}, text, nil
}

func (a *App) revokeKey(c *call) error {
	id, err := c.id("id", relay.PrefixKey)
	if err != nil {
		return err
	}
	if err := a.store.RevokeKey(c.ctx, c.Project, id, c.Actor); err != nil {
		return err
	}
	return c.noContent()
}
