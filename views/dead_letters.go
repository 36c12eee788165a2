package views

import (
	"encoding/hex"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// DeadLettersModel lists the deliveries that used up their attempts and were
// not replayed since.
type DeadLettersModel struct {
	Frame
	Filter    DeliveryFilter // EndpointID, EventType, Cause, From and To
	Errors    map[string]string
	Endpoints []EndpointRef
	Types     []string
	Rows      []DeliveryRow
	Pager     Pager
	Causes    []DeadLetterCause // of the whole project, whatever the filter, the most first
	All       int               // dead letters of the project
}

// DeadLetterCause counts the dead letters of one endpoint that have one cause.
type DeadLetterCause struct {
	Endpoint EndpointRef
	Cause    string // fingerprint; empty: whatever it was
	Example  string // the last error of one of them
	Count    int
	OldestAt time.Time
	NewestAt time.Time
}

// causesShown is how many causes stand above the list of dead letters.
const causesShown = 6

// groupURL lists the dead letters of one endpoint.
func groupURL(id relay.ID) string {
	return listURL("/dead-letters", DeliveryFilter{EndpointID: relay.PrefixEndpoint.Format(id)}.Values())
}

// causeURL narrows the list to one cause, or widens it again.
func causeURL(f DeliveryFilter, c DeadLetterCause) string {
	if currentCause(f, c) == "true" {
		f.EndpointID, f.Cause = "", ""
	} else {
		f.EndpointID, f.Cause = relay.PrefixEndpoint.Format(c.Endpoint.ID), c.Cause
	}
	return listURL("/dead-letters", f.Values())
}

func currentCause(f DeliveryFilter, c DeadLetterCause) string {
	if f.EndpointID == relay.PrefixEndpoint.Format(c.Endpoint.ID) && f.Cause == c.Cause {
		return "true"
	}
	return "false"
}

// causePlanURL is the form of a replay with the dead letters of one cause.
func causePlanURL(c DeadLetterCause) string {
	return ReplayNewURL(ReplayForm{
		Of: ReplayOfDeliveries, DeliveryStatus: ReplayDead, DeliveryEndpointID: relay.PrefixEndpoint.Format(c.Endpoint.ID), Cause: c.Cause, SkipDelivered: true,
	})
}

func causeWord(c DeadLetterCause) string { return line(or(c.Example, "Every cause")) }

// causeKey tells the groups of a page apart in its ids.
func causeKey(c DeadLetterCause) string {
	return c.Endpoint.ID.UUID() + hex.EncodeToString([]byte(c.Cause))
}
