package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// result is what came of a check: sentences that say what is wrong.
type result struct {
	name   string
	faults []string
}

// fault adds a sentence; only the first few are kept.
func (r *result) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// check looks at everything.
func check(ctx context.Context, r *rig, f *findings) []result {
	return []result{
		f.checkKept(r), f.checkArrived(), f.checkDated(), f.checkFinal(ctx, r), f.checkLimbo(),
		f.checkRepeats(r.story), f.checkInFlight(r.story), f.checkRate(r.story), f.checkSums(), checkJobs(ctx, r),
		f.checkQueues(), checkProcesses(r.story),
	}
}

// checkKept: what was accepted is there, with a delivery for each endpoint that
// takes its type.
func (f *findings) checkKept(r *rig) result {
	out := result{name: "accepted events are kept and routed"}
	made := map[string]map[string]int{}
	for _, d := range f.rows {
		if d.ReplayID.IsZero() {
			id := relay.PrefixEvent.Format(d.EventID)
			if made[id] == nil {
				made[id] = map[string]int{}
			}
			made[id][relay.PrefixEndpoint.Format(d.EndpointID)]++
		}
	}
	for id, number := range f.accepted {
		if event, err := relay.ParseID(relay.PrefixEvent, id); err != nil || f.events[event] == "" {
			out.fault("%s was accepted and is not in the database", id)
			continue
		}
		for _, t := range targets {
			want := 0
			if slices.Contains(t.takes, f.types[number]) {
				want = 1
			}
			if got := made[id][r.endpoints[t.name]]; got != want {
				out.fault("%s of type %s has %d deliveries to %s, not %d", id, f.types[number], got, t.name, want)
			}
		}
	}
	return out
}

// checkArrived: what counts as delivered was answered with a success.
func (f *findings) checkArrived() result {
	out := result{name: "what is delivered arrived"}
	for _, d := range f.rows {
		took := slices.ContainsFunc(f.arrived(d.ID), func(a arrival) bool { return a.status == 200 })
		if d.Status == relay.DeliveryDelivered && !took {
			out.fault("%s is delivered and the receiver took %d requests of it without a success", relay.PrefixDelivery.Format(d.ID), len(f.arrived(d.ID)))
		}
	}
	return out
}

// datedWithin is how far the time that a request says may be from when it arrives: less
// than the clock of the worker that is ahead is off.
const datedWithin = 10 * time.Second

// checkDated: requests are dated by the clock of the database, whoever makes them. One
// that was stopped on its way arrives later.
func (f *findings) checkDated() result {
	out := result{name: "requests are dated by the database"}
	for _, a := range f.arrivals {
		if ahead := a.dated.Sub(a.from); ahead > datedWithin {
			out.fault("%s arrived at %s and is dated %s later", a.delivery, a.from.Format(time.TimeOnly), ahead)
		}
	}
	return out
}

// checkFinal: everything has come to its end, and nothing is held.
func (f *findings) checkFinal(ctx context.Context, r *rig) result {
	out := result{name: "everything is final"}
	o, err := r.open(ctx)
	switch {
	case err != nil:
		out.fault("the database does not answer: %v", err)
	case o.deliveries+o.leases+o.jobs > 0:
		out.fault("%d deliveries are not final, %d leases are left and %d replay jobs have not ended", o.deliveries, o.leases, o.jobs)
	}
	return out
}

func (f *findings) checkLimbo() result {
	out := result{name: "nobody is forgotten"}
	for _, id := range f.limbo {
		out.fault("%s was neither final nor due nor in anybody's hands, or more than one of these", id)
	}
	return out
}

// checkSums: an event's status is what its deliveries make it.
func (f *findings) checkSums() result {
	out := result{name: "events are the sum of their deliveries"}
	of := map[relay.ID][]relay.Delivery{}
	for _, d := range f.rows {
		of[d.EventID] = append(of[d.EventID], d.Delivery)
	}
	for id, status := range f.events {
		if want := relay.EventStatusOf(of[id]); status != want {
			out.fault("%s is %s, and its deliveries make it %s", relay.PrefixEvent.Format(id), status, want)
		}
	}
	return out
}

func (f *findings) checkQueues() result {
	out := result{name: "the queues are empty"}
	for _, q := range f.queues {
		out.fault("%s", q)
	}
	return out
}

// checkProcesses: no process ended but those that were killed.
func checkProcesses(s *story) result {
	out := result{name: "no process ended by itself"}
	for _, w := range s.of(0, ended) {
		if !touched(s.of(0, restart, crash), w.from, w.to) { // nobody can start without a database
			out.fault("%s", w.what)
		}
	}
	return out
}
