package views

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"

	"github.com/reprise-dev/reprise/relay"
)

// command is one thing that a page does: in the words of the command line, if
// it has any, and of the API.
type command struct {
	Name  string
	Lines []string
}

// apiCurl is a call of the API. A body that is nil is left out.
func (f Frame) apiCurl(method, path string, body any) string {
	words := "curl "
	if method != http.MethodGet {
		words += "-X " + method + " "
	}
	words += shellQuote(f.PublicURL+"/api/v1"+path) + " \\\n  -H \"Authorization: Bearer $REPRISE_API_KEY\""
	if body == nil {
		return words
	}
	text, err := json.Marshal(body)
	if err != nil { // strings and numbers always marshal
		panic(err)
	}
	return words + " \\\n  -H 'Content-Type: application/json' \\\n  -d " + shellQuote(string(text))
}

// longCommand is what is easier to read with a line for each flag.
const longCommand = 84

// reprise is a command line of the program; each word is quoted as needed.
func reprise(words ...string) string {
	short, long := "reprise", "reprise"
	for _, w := range words {
		gap := " "
		if strings.HasPrefix(w, "--") {
			gap = " \\\n  "
		}
		w = shellQuote(line(w))
		short, long = short+" "+w, long+gap+w
	}
	if len(short) > longCommand {
		return long
	}
	return short
}

// eventCommands replay an event.
func eventCommands(m EventModel) []command {
	if m.NotReplayable != "" {
		return nil
	}
	id := relay.PrefixEvent.Format(m.Event.ID)
	path := "/events/" + id + "/replay"
	all := []command{{"Replay it", []string{reprise("events", "replay", id), m.apiCurl(http.MethodPost, path, nil)}}}
	for _, t := range m.Targets {
		if t.Endpoint.Status == relay.EndpointDisabled {
			continue
		}
		to := relay.PrefixEndpoint.Format(t.Endpoint.ID)
		return append(all, command{"To a chosen endpoint", []string{
			reprise("events", "replay", id, "--endpoint", to), m.apiCurl(http.MethodPost, path, map[string]any{"endpoint_ids": []string{to}}),
		}})
	}
	return all
}

// sampleReason stands where a person says why.
const sampleReason = "why it is given up"

// deliveryCommands do what the buttons of a delivery do, but for those that it
// refuses now.
func deliveryCommands(m DeliveryModel) []command {
	id := relay.PrefixDelivery.Format(m.Delivery.ID)
	act := func(name, act string, body any, more ...string) command {
		words := append([]string{"deliveries", act, id}, more...)
		return command{name, []string{reprise(words...), m.apiCurl(http.MethodPost, "/deliveries/"+id+"/"+act, body)}}
	}
	var all []command
	if m.NoReplay == "" {
		all = append(all, act("Replay it", "replay", nil))
	}
	if m.NoRetry == "" {
		all = append(all, act("Retry it now", "retry", nil))
	}
	if m.NoDiscard == "" {
		all = append(all, act("Discard it", "discard", map[string]string{"reason": sampleReason}, "--reason", sampleReason))
	}
	return all
}

// endpointCommands do what the buttons of an endpoint do.
func endpointCommands(m EndpointModel) []command {
	id := relay.PrefixEndpoint.Format(m.Row.Endpoint.ID)
	var all []command
	if m.Row.Endpoint.Status != relay.EndpointDisabled {
		event := line(firstType(m.EventTypes))
		all = append(all, command{"Send a test event", []string{
			reprise("events", "trigger", "--endpoint", id, "--event", event),
			m.apiCurl(http.MethodPost, "/endpoints/"+id+"/test-fire", map[string]string{"event": event}),
		}})
	}
	act := func(name, act string) {
		all = append(all, command{name, []string{reprise("endpoints", act, id), m.apiCurl(http.MethodPost, "/endpoints/"+id+"/"+act, nil)}})
	}
	switch m.Row.Endpoint.Status {
	case relay.EndpointActive:
		act("Pause it", "pause")
	case relay.EndpointPaused:
		act("Resume it", "resume")
	}
	if m.Row.DeadLetters > 0 {
		all = append(all, m.replayDead("Replay its dead letters", id, ""))
	}
	return all
}

// newEndpointCommands create an endpoint of sample values, and one that also
// gets what came in before.
func newEndpointCommands(f Frame) []command {
	const name, address = "Billing", "https://billing.example.com/webhooks"
	create := func(title string, more map[string]any, words ...string) command {
		body := map[string]any{"name": name, "url": address}
		maps.Copy(body, more)
		words = append([]string{"endpoints", "create", "--name", name, "--url", address}, words...)
		return command{title, []string{reprise(words...), f.apiCurl(http.MethodPost, "/endpoints", body)}}
	}
	return []command{
		create("Create one", nil),
		create("Create one and send it the last 3 days", map[string]any{"backfill_days": 3}, "--backfill-days", "3"),
	}
}

// replayDead replays dead letters by a job that starts at once.
func (f Frame) replayDead(name, endpoint, cause string) command {
	form := ReplayForm{Of: ReplayOfDeliveries, DeliveryStatus: ReplayDead, DeliveryEndpointID: endpoint, Cause: cause}
	body := form.body()
	body.DryRun = false
	return command{name, []string{form.command("start"), f.apiCurl(http.MethodPost, "/replays", body)}}
}

// deadLetterCommands do what the buttons of the page do: to all, and to the
// group that is chosen, else to the largest one.
func deadLetterCommands(m DeadLettersModel) []command {
	all := []command{{"List them", []string{reprise("dead-letters"), m.apiCurl(http.MethodGet, "/dead-letters", nil)}}}
	if m.All > 0 {
		all = append(all, m.replayDead("Replay all", "", ""))
	}
	if len(m.Causes) == 0 {
		return all
	}
	group, word := m.Causes[0], "the largest group"
	for _, c := range m.Causes {
		if currentCause(m.Filter, c) == "true" {
			group, word = c, "this group"
		}
	}
	endpoint := relay.PrefixEndpoint.Format(group.Endpoint.ID)
	return append(all, m.replayDead("Replay "+word, endpoint, group.Cause), command{"Discard " + word, []string{
		reprise("dead-letters", "discard", "--endpoint", endpoint, "--cause", group.Cause, "--reason", sampleReason),
		m.apiCurl(http.MethodPost, "/dead-letters/discard", map[string]string{"endpoint_id": endpoint, "cause": group.Cause, "reason": sampleReason}),
	}})
}

// listCommands plan a replay of everything that a list's filter selects, or of
// the first rows by their ids.
func listCommands(f Frame, p Pager, flag string, ids []string) []command {
	var all []command
	if p.Replay != nil {
		all = append(all, f.plan("Replay what matches", *p.Replay))
	}
	if len(ids) == 0 {
		return all
	}
	ids = ids[:min(len(ids), sampleRows)]
	words, field := []string{"replay", "start"}, "event_ids"
	for _, id := range ids {
		words = append(words, "--"+flag, id)
	}
	if flag == "delivery-id" {
		field = "delivery_ids"
	}
	return append(all, command{"Replay chosen rows", []string{reprise(words...), f.apiCurl(http.MethodPost, "/replays", map[string]any{field: ids})}})
}

// sampleRows is how many rows of a list an example names.
const sampleRows = 2

// plan plans the replay of a form. One without any condition, which the API
// takes for a slip, says until when.
func (f Frame) plan(name string, form ReplayForm) command {
	if form.everything() {
		form.To = f.Now.UTC().Format("2006-01-02T15:04:05Z")
	}
	return command{name, []string{form.command("plan"), f.apiCurl(http.MethodPost, "/replays", form.body())}}
}

func eventListCommands(m EventsModel) []command {
	var ids []string
	for _, r := range m.Rows {
		if r.Event.SignatureValid && !r.Event.IsTest {
			ids = append(ids, relay.PrefixEvent.Format(r.Event.ID))
		}
	}
	return listCommands(m.Frame, m.Pager, "event", ids)
}

func deliveryListCommands(m DeliveriesModel) []command {
	var ids []string
	for _, r := range m.Rows {
		if r.Delivery.Trigger != relay.TriggerTest {
			ids = append(ids, relay.PrefixDelivery.Format(r.Delivery.ID))
		}
	}
	return listCommands(m.Frame, m.Pager, "delivery-id", ids)
}
