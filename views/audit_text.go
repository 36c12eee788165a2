package views

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reprise-dev/reprise/relay"
)

func actorIcon(k relay.ActorKind) string {
	switch k {
	case relay.ActorUser:
		return "user"
	case relay.ActorKey:
		return "keys"
	}
	return "activity"
}

// targetURL is the page of what an entry was about, if it has one. It is made
// of a parsed id, never of the text.
func targetURL(target string) string {
	pages := map[relay.Prefix]func(relay.ID) string{
		relay.PrefixSource: sourceURL, relay.PrefixEndpoint: endpointURL,
		relay.PrefixEvent: eventURL, relay.PrefixDelivery: deliveryURL,
		relay.PrefixReplay: replayURL,
	}
	for prefix, page := range pages {
		if !strings.HasPrefix(target, string(prefix)) {
			continue
		}
		if id, err := relay.ParseID(prefix, target); err == nil {
			return page(id)
		}
	}
	return ""
}

// auditData writes what an entry holds, names in order.
func auditData(data map[string]any) string {
	names := make([]string, 0, len(data))
	for name := range data {
		names = append(names, name)
	}
	slices.Sort(names)
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = line(fmt.Sprintf("%s=%v", name, data[name]))
	}
	return strings.Join(words, "  ")
}
