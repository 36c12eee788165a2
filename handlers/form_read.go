package handlers

import (
	"errors"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// form reads the fields of a posted form and collects what is wrong with
// them, under the names that the API uses.
type form struct {
	values url.Values
	faults faults
}

// readForm reads a form from the raw body: what Fiber would give is memory
// that it uses again.
func readForm(c *fiber.Ctx) (*form, error) {
	kind, _, _ := strings.Cut(string(c.Request().Header.ContentType()), ";")
	body := string(c.Request().Body())
	if body != "" && !strings.EqualFold(strings.TrimSpace(kind), fiber.MIMEApplicationForm) {
		return nil, &relay.Error{Kind: relay.KindInvalidRequest, Detail: "A form must be sent as application/x-www-form-urlencoded."}
	}
	values, err := url.ParseQuery(body)
	if err != nil {
		return nil, &relay.Error{Kind: relay.KindInvalidRequest, Detail: "The form could not be read. Go back and try again.", Cause: err}
	}
	return &form{values: values}, nil
}

// text is a field without the space around it.
func (f *form) text(name string) string { return strings.TrimSpace(f.values.Get(name)) }

// raw is a field as it was typed, for what is compared byte for byte.
func (f *form) raw(name string) string { return f.values.Get(name) }

// block is a field of several lines. Browsers send their ends as CR LF.
func (f *form) block(name string) string {
	return strings.ReplaceAll(f.values.Get(name), "\r\n", "\n")
}

// disabled is whether the box of that name is ticked.
func (f *form) disabled() bool { return f.values.Get("is_disabled") != "" }

// number reads a whole number; an empty field is fallback.
func (f *form) number(name, field string, fallback int) int {
	s := f.text(name)
	if s == "" {
		return fallback
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		f.faults.add(field, "must be a whole number")
		return fallback
	}
	return n
}

// decimal reads a number with or without a fraction; an empty field is fallback.
func (f *form) decimal(name, field string, fallback float64) float64 {
	s := f.text(name)
	if s == "" {
		return fallback
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		f.faults.add(field, "must be a number")
		return fallback
	}
	return n
}

const maxFormSeconds = 1e9

// seconds reads a duration that was typed as a number of seconds.
func (f *form) seconds(name, field string, fallback time.Duration) time.Duration {
	n := f.decimal(name, field, fallback.Seconds())
	return time.Duration(math.Round(max(min(n, maxFormSeconds), -maxFormSeconds) * float64(time.Second)))
}

// check joins the faults of reading with those of a validation.
func (f *form) check(valid error) error { return f.faults.with(valid) }

// ids reads a repeated field of ids.
func (f *form) ids(name string, prefix relay.Prefix) ([]relay.ID, error) {
	var ids []relay.ID
	for _, s := range f.values[name] {
		id, err := relay.ParseID(prefix, s)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// formNumber and formSeconds write what number and seconds read.
func formNumber(n int) string { return strconv.Itoa(n) }

func formDecimal(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func formSeconds(d time.Duration) string { return formDecimal(d.Seconds()) }

// blankZero is a number in a field that may be empty for zero.
func blankZero(n int) string {
	if n == 0 {
		return ""
	}
	return formNumber(n)
}

// isTyped reports whether an error is about what a person typed, so that the
// form is shown again.
func isTyped(err error) bool {
	kind := relay.KindOf(err)
	return kind == relay.KindValidation || kind == relay.KindConflict
}

// formErrors are the messages to show at the fields of a form; what is the
// fault of no one field stands above it.
func formErrors(err error) map[string]string {
	shown := views.FormErrors(err)
	if shown == nil {
		var e *relay.Error
		if errors.As(err, &e) {
			shown = map[string]string{"": e.Detail}
		}
	}
	for _, field := range slices.Sorted(maps.Keys(shown)) {
		if name, ok := strings.CutPrefix(field, "headers_"); ok && shown["headers"] == "" {
			shown["headers"] = name + " " + shown[field]
		}
	}
	return shown
}
