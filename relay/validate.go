package relay

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// fields collects what is wrong with an input.
type fields []FieldError

func (f *fields) add(field, format string, args ...any) {
	*f = append(*f, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// line checks a text of one line that people read.
func (f *fields) line(field, s string, least, most int) {
	n := utf8.RuneCountInString(s)
	switch {
	case least > 0 && strings.TrimSpace(s) == "":
		f.add(field, "must not be empty")
	case n > most:
		f.add(field, "must have at most %d characters", most)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		f.add(field, "must not contain control characters")
	}
}

// text is a line that may have line breaks and tabs.
func (f *fields) text(field, s string, most int) {
	f.line(field, strings.NewReplacer("\n", " ", "\r", " ", "\t", " ").Replace(s), 0, most)
}

func (f *fields) between(field string, n, least, most int) {
	if n < least || n > most {
		f.add(field, "must be a whole number from %d to %d", least, most)
	}
}

func (f *fields) seconds(field string, d, least, most time.Duration) {
	if d < least || d > most {
		f.add(field, "must be a number of seconds from %v to %v", least.Seconds(), most.Seconds())
	}
}

func (f *fields) token(field, name string) {
	if !isToken(name) || len(name) > maxHeaderName {
		f.add(field, "must be the name of a header, such as X-Signature")
	}
}

// secret checks what is sent or compared as the value of a header.
func (f *fields) secret(field, s string) {
	switch {
	case s == "":
		f.add(field, "must not be empty")
	case len(s) > maxSecret:
		f.add(field, "must have at most %d bytes", maxSecret)
	case !isFieldValue(s):
		f.add(field, "must not contain control characters or line breaks")
	}
}

const (
	maxName        = 200
	maxDescription = 1000
	maxHeaderName  = 200
	maxHeaderValue = 4096
	maxSecret      = 4096
	maxHeaders     = 50
	maxFilter      = 100
	maxRate        = 1_000_000
	minDelay       = 10 * time.Millisecond
	day            = 24 * time.Hour
)

// Validate checks a name and nothing else: a project has no other settings.
func (p *Project) Validate() error {
	var f fields
	f.line("name", p.Name, 1, maxName)
	return Invalid(f...)
}

// validate checks the policy of an endpoint.
func (p RetryPolicy) validate(f *fields) {
	f.between("retry.max_retries", p.MaxRetries, 0, 30)
	f.seconds("retry.initial_delay", p.InitialDelay, minDelay, day)
	if math.IsNaN(p.Factor) || p.Factor < 1 || p.Factor > 10 {
		f.add("retry.factor", "must be a number from 1 to 10")
	}
	f.seconds("retry.max_delay", p.MaxDelay, minDelay, 7*day)
	if p.MaxDelay >= minDelay && p.MaxDelay < p.InitialDelay {
		f.add("retry.max_delay", "must not be shorter than retry.initial_delay")
	}
}

var errTime = errors.New("the time must have the form 2006-01-02T15:04:05Z (RFC 3339)")

// ParseTime reads an RFC 3339 time, which names its zone, and gives it in UTC.
func ParseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	// Parse also takes an hour of one digit and a comma before the fraction
	// (golang/go#54580).
	if err != nil || s[13] != ':' || strings.Contains(s, ",") {
		return time.Time{}, errTime
	}
	return t.UTC(), nil
}
