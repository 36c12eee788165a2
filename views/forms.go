package views

import (
	"errors"
	"regexp"
	"strings"

	"github.com/reprise-dev/reprise/relay"
)

// FormToken is the field that tells the form of one page from all others, so that
// its button makes one thing however often it is pressed.
const FormToken = "form_token"

var fieldIndex = regexp.MustCompile(`\[\d+\]|\.\d+`)

// FormErrors turns the faults of a validation error into what forms show, by
// the name of the form field: verifier.hmac.secret is hmac_secret there, and
// retry.max_retries is retry_max_retries. It is nil for any other error.
func FormErrors(err error) map[string]string {
	var e *relay.Error
	if !errors.As(err, &e) || len(e.Fields) == 0 {
		return nil
	}
	m := make(map[string]string, len(e.Fields))
	for _, f := range e.Fields {
		name := fieldName(f.Field)
		if m[name] == "" {
			m[name] = f.Message
		}
	}
	return m
}

func fieldName(api string) string {
	name := fieldIndex.ReplaceAllString(api, "")
	for _, group := range []string{"verifier.", "authentication."} {
		if rest, ok := strings.CutPrefix(name, group); ok && rest != "type" {
			name = strings.TrimPrefix(rest, "bearer.")
			if name != rest {
				name = "bearer_" + name
			}
		}
	}
	return strings.ReplaceAll(name, ".", "_")
}

// SplitList reads a field that holds one value a line or between commas.
func SplitList(text string) []string {
	var list []string
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
