package handlers

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// params are the query parameters of a call, read strictly: what is unknown,
// repeated or malformed is refused by name rather than ignored.
type params struct {
	values map[string]string
	faults faults
	badID  error
}

const maxParam = 4096

// params reads the query, which may hold the known parameters and no others.
func (c *call) params(known ...string) *params {
	p := &params{values: map[string]string{}}
	for key, value := range c.Request().URI().QueryArgs().All() {
		name := string(key)
		switch _, twice := p.values[name]; {
		case !contains(known, name):
			p.faults.add(printable(name), "is not a parameter of this call")
		case twice:
			p.faults.add(name, "must be given only once")
		case len(value) > maxParam:
			p.faults.add(name, "must have at most 4096 bytes")
		default:
			p.values[name] = string(value)
		}
	}
	return p
}

func contains(list []string, s string) bool {
	for i := range list {
		if list[i] == s {
			return true
		}
	}
	return false
}

// err is what was wrong with anything that was read.
func (p *params) err() error {
	if p.badID != nil {
		return p.badID
	}
	return p.faults.err()
}

// page reads limit and cursor.
func (p *params) page() db.Page {
	page := db.Page{Cursor: p.values["cursor"]}
	if s, ok := p.values["limit"]; ok {
		n, err := strconv.ParseUint(s, 10, 16)
		if err != nil || n < 1 || n > 100 {
			p.faults.add("limit", "must be a whole number from 1 to 100")
		}
		page.Limit = int(n)
	}
	return page
}

func (p *params) id(name string, prefix relay.Prefix) relay.ID {
	s, ok := p.values[name]
	if !ok {
		return relay.ID{}
	}
	id, err := relay.ParseID(prefix, s)
	if err != nil {
		p.badID = withField(err, name)
	}
	return id
}

// withField says which field of a request holds a malformed id.
func withField(err error, field string) error {
	var e *relay.Error
	if errors.As(err, &e) && len(e.Fields) == 0 {
		named := *e
		named.Fields = []relay.FieldError{{Field: field, Message: e.Detail}}
		return &named
	}
	return err
}

// text is a value to be compared literally.
func (p *params) text(name string) string {
	s := p.values[name]
	if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		p.faults.add(name, "must be text without control characters")
	}
	return s
}

func (p *params) time(name string) time.Time {
	s, ok := p.values[name]
	if !ok {
		return time.Time{}
	}
	// A plus sign that was not escaped arrives as a space.
	t, err := relay.ParseTime(strings.ReplaceAll(s, " ", "+"))
	if err != nil {
		p.faults.add(name, "must be a time such as 2026-01-31T09:30:00Z")
	}
	return t
}

func (p *params) bool(name string) *bool {
	s, ok := p.values[name]
	if !ok {
		return nil
	}
	if s != "true" && s != "false" {
		p.faults.add(name, "must be true or false")
	}
	yes := s == "true"
	return &yes
}

func (p *params) deliveryStatus(name string) relay.DeliveryStatus {
	s, ok := p.values[name]
	switch status := relay.DeliveryStatus(s); {
	case !ok:
		return ""
	case s == "failed":
		return relay.DeliveryDLQ
	case status.Known():
		return status
	}
	p.faults.add(name, "must be pending, retrying, delivered, failed, dlq or discarded")
	return ""
}

func (p *params) eventStatus(name string) relay.EventStatus {
	s, ok := p.values[name]
	status := relay.EventStatus(s)
	if ok && !status.Known() {
		p.faults.add(name, "must be received, forwarding, delivered, failed, unmatched, rejected or duplicate")
	}
	return status
}

// replayStatus reads the state of a replay job.
func (p *params) replayStatus(name string) relay.ReplayStatus {
	status := relay.ReplayStatus(p.text(name))
	if _, given := p.values[name]; given && !status.Known() {
		p.faults.add(name, "must be planned, running, paused, completed, failed or cancelled")
	}
	return status
}
