package handlers

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

const (
	// countCap is where the counting of what a filter selects stops.
	countCap = 10_000
	// liveCap is where the bar above a list stops to count what is new.
	liveCap = 100
	// rowsShown is how long the lists of pages are.
	rowsShown = 50
)

// filters are the query parameters of a list on a page. They are those of the
// API, but a form sends them all: the empty ones mean nothing, and so do
// others that the page does not know.
type filters struct {
	*params
	errors map[string]string
}

func (v *visit) filters(known ...string) *filters {
	f := &filters{params: &params{values: map[string]string{}}}
	for _, name := range known {
		if s := v.Query(name); s != "" {
			f.values[name] = s
		}
	}
	for _, name := range []string{"from", "to"} {
		if s, ok := f.values[name]; ok {
			f.values[name] = fullTime(s)
		}
	}
	return f
}

// fullTime makes of what a datetime-local field sends a time in UTC.
func fullTime(s string) string {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Format(time.RFC3339)
		}
	}
	return s
}

// place is where in the list the page is.
func (v *visit) place() (db.Page, views.Pager) {
	cursor := v.Query("cursor")
	return db.Page{Limit: rowsShown, Cursor: cursor}, views.Pager{Cursor: cursor, Trail: v.Query("trail"), Count: -1}
}

// ok reports whether the filters could be read; errors says why not.
func (f *filters) ok() bool {
	if err := f.err(); err != nil {
		f.errors = formErrors(err)
	}
	return f.errors == nil
}

// listed takes the error of reading the list: a cursor of another list is the
// fault of the address, and shown as such.
func (f *filters) listed(err error) error {
	switch relay.KindOf(err) {
	case relay.KindInvalidRequest, relay.KindValidation:
		f.errors = formErrors(err)
		return nil
	}
	return err
}

// status is that of the answer.
func (f *filters) status() int {
	if f.errors != nil {
		return fiber.StatusUnprocessableEntity
	}
	return fiber.StatusOK
}

// capped is a count that was asked for up to one more than countCap.
func capped(n int, err error) (int, bool, error) { return min(n, countCap), n > countCap, err }

// liveBar answers a poll for what is new in a list.
func (v *visit) liveBar(n int, err error, m views.LiveModel) error {
	if err != nil {
		return err
	}
	m.Count, m.Capped = min(n, liveCap), n > liveCap
	return v.news(views.LiveBar(m))
}
