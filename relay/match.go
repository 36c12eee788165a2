package relay

import (
	"fmt"
	"strings"
)

// MatchType reports whether an event filter takes an event type. An empty
// filter takes all; "*" at the end of an entry stands for any rest, so that
// "*" is every type and "invoice.*" is every type that begins with "invoice.".
func MatchType(filter []string, eventType string) bool {
	if len(filter) == 0 {
		return true
	}
	for _, pattern := range filter {
		if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
			if strings.HasPrefix(eventType, prefix) {
				return true
			}
		} else if pattern == eventType {
			return true
		}
	}
	return false
}

// Matches tells why an endpoint gets an event, or why not.
func (e *Endpoint) Matches(ev *Event) RouteReason {
	if len(e.SourceIDs) > 0 && !containsID(e.SourceIDs, ev.SourceID) {
		return RouteSource
	}
	if !MatchType(e.EventFilter, ev.EventType) {
		return RouteFilter
	}
	switch e.Status {
	case EndpointPaused:
		return RoutePaused
	case EndpointDisabled:
		return RouteDisabled
	default:
		return RouteMatched
	}
}

func containsID(ids []ID, id ID) bool {
	for i := range ids {
		if ids[i] == id {
			return true
		}
	}
	return false
}

// MaxRoutes is how many routes an event keeps at most.
const MaxRoutes = 64

// PlanDeliveries decides which endpoints get an event. The targets are those
// that match and are not disabled; a paused one gets a delivery that waits.
// The routes tell the reason for each endpoint of the event's project, what
// matched first, and no more than MaxRoutes of them.
func PlanDeliveries(ev *Event, endpoints []*Endpoint) (routes []Route, targets []*Endpoint) {
	routes = make([]Route, 0, min(len(endpoints), MaxRoutes))
	var others []Route
	for _, e := range endpoints {
		if e.ProjectID != ev.ProjectID {
			continue
		}
		route := Route{EndpointID: e.ID, Reason: e.Matches(ev)}
		switch route.Reason {
		case RouteMatched, RoutePaused:
			targets = append(targets, e)
			if len(routes) < MaxRoutes {
				routes = append(routes, route)
			}
		default:
			if len(others) < MaxRoutes {
				others = append(others, route)
			}
		}
	}
	room := min(len(others), MaxRoutes-len(routes))
	return append(routes, others[:room]...), targets
}

// String is the reason as the API says it.
func (r RouteReason) String() string {
	switch r {
	case RouteMatched:
		return "matched"
	case RoutePaused:
		return "endpoint_paused"
	case RouteDisabled:
		return "endpoint_disabled"
	case RouteSource:
		return "source_not_subscribed"
	case RouteFilter:
		return "event_type_filtered"
	default:
		return "unknown"
	}
}

const routeSize = len(ID{}) + 1

// EncodeRoutes writes routes as 17 bytes each: the endpoint's id, the reason.
func EncodeRoutes(routes []Route) []byte {
	if len(routes) == 0 {
		return nil
	}
	b := make([]byte, 0, len(routes)*routeSize)
	for i := range routes {
		b = append(b, routes[i].EndpointID[:]...)
		b = append(b, byte(routes[i].Reason))
	}
	return b
}

// DecodeRoutes reads what EncodeRoutes wrote.
func DecodeRoutes(b []byte) ([]Route, error) {
	if len(b)%routeSize != 0 {
		return nil, fmt.Errorf("relay: %d bytes are not encoded routes", len(b))
	}
	if len(b) == 0 {
		return nil, nil
	}
	routes := make([]Route, 0, len(b)/routeSize)
	for ; len(b) > 0; b = b[routeSize:] {
		routes = append(routes, Route{EndpointID: ID(b[:routeSize-1]), Reason: RouteReason(b[routeSize-1])})
	}
	return routes, nil
}
