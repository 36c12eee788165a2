package views

import (
	"net/http"
	"strings"
)

type shortcut struct {
	Word string
	Keys []string
}

var shortcuts = []shortcut{
	{"Search", []string{"/"}},
	{"Next and previous row", []string{"j", "k"}},
	{"Select the row", []string{"x"}},
	{"Open the row", []string{"Enter"}},
	{"Replay the row, or what is open", []string{"r"}},
	{"Overview", []string{"g", "o"}},
	{"Events", []string{"g", "e"}},
	{"Deliveries", []string{"g", "d"}},
	{"Dead letters", []string{"g", "l"}},
	{"Replays", []string{"g", "r"}},
	{"Sources", []string{"g", "s"}},
	{"Endpoints", []string{"g", "p"}},
	{"This help", []string{"?"}},
}

func sectionOr(a, b Section) Section {
	if a != "" {
		return a
	}
	return b
}

func inBottom(s Section) bool {
	for _, n := range bottomItems() {
		if n.Section == s {
			return true
		}
	}
	return false
}

// initials are two letters for a person, from the e-mail address.
func initials(email string) string {
	name, _, _ := strings.Cut(email, "@")
	return letters(name)
}

// letters are two letters for a name: of its first two words, else its first two.
func letters(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune(" ._-+", r) })
	out := ""
	if len(words) == 1 {
		out = string([]rune(words[0] + " ")[:2])
	}
	if len(words) > 1 {
		out = string([]rune(words[0])[:1]) + string([]rune(words[1])[:1])
	}
	return strings.ToUpper(strings.TrimSpace(out))
}

func errorHeading(status int) string {
	switch status {
	case http.StatusNotFound:
		return "There is nothing here"
	case http.StatusForbidden:
		return "That is not allowed"
	case http.StatusTooManyRequests:
		return "Too many requests"
	case http.StatusServiceUnavailable:
		return "Not available just now"
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusConflict:
		return "That did not work"
	}
	if status >= 500 {
		return "Something went wrong here"
	}
	return http.StatusText(status)
}

func errorAdvice(status int) string {
	switch status {
	case http.StatusNotFound:
		return "The address is wrong, or what it named was deleted, passed its retention, or is in another project. Switch the project at the top left and try again."
	case http.StatusForbidden:
		return "The request did not come from a page of this server. Reload the page and try again."
	case http.StatusTooManyRequests:
		return "Wait a moment and try again."
	case http.StatusServiceUnavailable:
		return "The database does not answer. Nothing that was accepted is lost; try again in a few seconds."
	}
	if status >= 500 {
		return "The server's log has the cause under the request id below. Try again; if it goes on, look there."
	}
	return "Go back and try again."
}
