package views

import (
	"context"
	"io"

	"github.com/a-h/templ"

	"github.com/reprise-dev/reprise/relay"
)

// icon draws one of iconPaths. It is decoration: a word stands beside it, or
// the control has a label.
func icon(name string, classes ...string) templ.Component {
	paths, ok := iconPaths[name]
	if !ok {
		panic("views: no icon " + name)
	}
	class := "icon"
	for _, c := range classes {
		class += " " + c
	}
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, `<svg class="`+class+`" viewBox="0 0 24 24" fill="none" stroke="currentColor" `+
			`stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">`+paths+`</svg>`)
		return err
	})
}

// toneOr is a tone, or another where none is given.
func toneOr(t, other Tone) string {
	if t == "" {
		return string(other)
	}
	return string(t)
}

func toneIcon(t string) string {
	switch Tone(t) {
	case ToneGood:
		return "circle-check"
	case ToneBad:
		return "circle-alert"
	case ToneWarn:
		return "triangle-alert"
	}
	return "info"
}

type navItem struct {
	Section Section
	Icon    string
	Word    string
	URL     string
	Key     string // pressed after g
}

var navItems = []navItem{
	{SectionOverview, "overview", "Overview", "/", "o"},
	{SectionEvents, "events", "Events", "/events", "e"},
	{SectionDeliveries, "deliveries", "Deliveries", "/deliveries", "d"},
	{SectionDeadLetters, "dead-letters", "Dead letters", "/dead-letters", "l"},
	{SectionReplays, "replays", "Replays", "/replays", "r"},
	{SectionSources, "sources", "Sources", "/sources", "s"},
	{SectionEndpoints, "endpoints", "Endpoints", "/endpoints", "p"},
	{SectionKeys, "keys", "API keys", "/api-keys", "k"},
	{SectionAudit, "audit", "Audit log", "/audit-log", "a"},
	{SectionSettings, "settings", "Settings", "/settings", "t"},
}

// bottomItems are the sections that a phone shows at its lower edge.
func bottomItems() []navItem { return navItems[:4] }

func sectionURL(s Section) string {
	for _, n := range navItems {
		if n.Section == s {
			return n.URL
		}
	}
	return "/"
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// attempted says how often a delivery was tried, for lists.
func attempted(d *relay.Delivery) string {
	if d.Attempts == 0 {
		return none
	}
	return count(d.Attempts)
}
