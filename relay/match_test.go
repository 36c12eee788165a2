package relay

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatchType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter    []string
		eventType string
		want      bool
	}{
		{nil, "anything", true},
		{[]string{"*"}, "anything", true},
		{[]string{"invoice.*"}, "invoice.paid", true},
		{[]string{"invoice.*"}, "invoice.line.added", true},
		{[]string{"invoice.*"}, "invoice", false},
		{[]string{"invoice.*"}, "invoices.paid", false},
		{[]string{"orders/*"}, "orders/create", true},
		{[]string{"invoice.paid"}, "invoice.paid", true},
		{[]string{"invoice.paid"}, "Invoice.paid", false},
		{[]string{"a", "b"}, "b", true},
		{[]string{"a", "b"}, "c", false},
	} {
		if got := MatchType(c.filter, c.eventType); got != c.want {
			t.Errorf("MatchType(%q, %q) is %v", c.filter, c.eventType, got)
		}
	}
}

func TestPlanDeliveries(t *testing.T) {
	t.Parallel()
	project, source := NewID(), NewID()
	ev := &Event{ProjectID: project, SourceID: source, EventType: "invoice.paid"}
	endpoint := func(status EndpointStatus, change func(*Endpoint)) *Endpoint {
		e := &Endpoint{ID: NewID(), ProjectID: project, Status: status}
		if change != nil {
			change(e)
		}
		return e
	}
	otherType := endpoint(EndpointActive, func(e *Endpoint) { e.EventFilter = []string{"user.*"} })
	otherSource := endpoint(EndpointDisabled, func(e *Endpoint) { e.SourceIDs = []ID{NewID()} })
	disabled := endpoint(EndpointDisabled, nil)
	paused := endpoint(EndpointPaused, func(e *Endpoint) { e.SourceIDs = []ID{NewID(), source} })
	active := endpoint(EndpointActive, func(e *Endpoint) { e.EventFilter = []string{"user.*", "invoice.*"} })
	foreign := endpoint(EndpointActive, func(e *Endpoint) { e.ProjectID = NewID() })

	routes, targets := PlanDeliveries(ev, []*Endpoint{otherType, otherSource, disabled, paused, active, foreign})
	wantRoutes := []Route{
		{paused.ID, RoutePaused}, {active.ID, RouteMatched},
		{otherType.ID, RouteFilter}, {otherSource.ID, RouteSource}, {disabled.ID, RouteDisabled},
	}
	if diff := cmp.Diff(wantRoutes, routes); diff != "" {
		t.Errorf("routes: %s", diff)
	}
	if diff := cmp.Diff([]*Endpoint{paused, active}, targets); diff != "" {
		t.Errorf("targets: %s", diff)
	}

	stored, err := DecodeRoutes(EncodeRoutes(routes))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(routes, stored); diff != "" {
		t.Errorf("stored: %s", diff)
	}
	if _, err := DecodeRoutes([]byte("x")); err == nil {
		t.Error("garbage was read as routes")
	}
}

func TestPlanDeliveriesKeepsAFewRoutes(t *testing.T) {
	t.Parallel()
	var endpoints []*Endpoint
	for range 100 {
		endpoints = append(endpoints,
			&Endpoint{ID: NewID(), EventFilter: []string{"other"}}, &Endpoint{ID: NewID()})
	}
	routes, targets := PlanDeliveries(&Event{EventType: "x"}, endpoints)
	if len(targets) != 100 || len(routes) != MaxRoutes {
		t.Errorf("%d targets, %d routes", len(targets), len(routes))
	}
	for _, r := range routes {
		if r.Reason != RouteMatched {
			t.Fatalf("an endpoint that did not match took the place of one that did: %s", r.Reason)
		}
	}
}
