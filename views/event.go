package views

import "github.com/reprise-dev/reprise/relay"

func countMatching(targets []ReplayTarget) int {
	n := 0
	for _, t := range targets {
		if t.MatchesNow {
			n++
		}
	}
	return n
}

// matchingNow warns of endpoints that would get the event a second time.
func matchingNow(targets []ReplayTarget) string {
	again := 0
	for _, t := range targets {
		if t.MatchesNow && t.Newest == relay.DeliveryDelivered {
			again++
		}
	}
	switch {
	case len(targets) == 0:
		return "There is no endpoint to replay to."
	case countMatching(targets) == 0:
		return "No enabled endpoint takes this event as it stands."
	case again > 0:
		return plural(again, "endpoint") + " already " + verb(again, "has", "have") + " it and would get it again."
	}
	return "None of the endpoints that match has it yet."
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// settled reports whether the page of an event need not ask for news.
func settled(m EventModel) bool {
	for _, d := range m.Deliveries {
		if !d.Delivery.Status.Final() && d.Endpoint.Status == relay.EndpointActive {
			return false
		}
	}
	return m.Event.Status != relay.EventForwarding || len(m.Deliveries) > 0
}

func noDeliveries(m EventModel) string {
	switch m.Event.Status {
	case relay.EventRejected:
		return "An event with an invalid signature is kept for inspection, never delivered and never replayed."
	case relay.EventDuplicate:
		return "A duplicate is kept, but not delivered."
	case relay.EventUnmatched:
		return "No endpoint wanted it when it came in. Replay it to send it to an endpoint of now."
	}
	return "Nothing was sent yet."
}

func noRoutes(m EventModel) string {
	if m.Event.Status == relay.EventRejected || m.Event.Status == relay.EventDuplicate {
		return "It was not routed."
	}
	return "There was no endpoint in this project."
}

// sourceName is what a row says of where its event came from: a test event
// came from here.
func sourceName(r EventRow) string {
	if r.Source.ID.IsZero() && r.Event.IsTest {
		return "Reprise"
	}
	return refName(r.Source.Name, r.Source.ID)
}
