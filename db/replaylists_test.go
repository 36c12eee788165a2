package db

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/replays"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// run plans, starts and makes a job, and gives the pairs that it made in their
// order.
func (w *world) run(t testing.TB, change ...func(*relay.ReplayJob)) []replays.PairID {
	t.Helper()
	j := w.planJob(t, change...)
	_, err := w.StartReplay(t.Context(), w.project, j.ID, system)
	check(t, err)
	for range 100 {
		step, err := w.WalkReplay(j.ID).Next(t.Context(), 7)
		check(t, err)
		if step.Drained {
			break
		}
	}
	var made []replays.PairID
	check(t, w.EachReplayDelivery(t.Context(), w.project, j.ID, "", func(page []relay.Delivery) error {
		for i := range page {
			made = append(made, replays.PairID{Event: page[i].EventID, Endpoint: page[i].EndpointID})
		}
		return nil
	}))
	equal(t, "made and planned", len(made), j.Plan.Pairs)
	slices.SortFunc(made, comparePairs)
	return made
}

func comparePairs(a, b replays.PairID) int {
	if c := bytes.Compare(a.Event[:], b.Event[:]); c != 0 {
		return c
	}
	return bytes.Compare(a.Endpoint[:], b.Endpoint[:])
}

var cmpPairs = cmp.AllowUnexported(replays.PairID{})

// oddTypes are types that would mean something else as a pattern or in a list.
var oddTypes = []string{"order.paid", "order.*", "*", "order.paid,order.sent", "order.paid*", " order.paid"}

// TestPlanSelectsTheListOfEvents makes a plan of each filter of the list of
// events, and sends what the list shows, no more and no less.
func TestPlanSelectsTheListOfEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		other := w.addSource(t, w.project)
		begun := w.Now()
		for i := range 4 * len(oddTypes) {
			w.typed(t, oddTypes[i%len(oddTypes)], func(r *engine.Reception) {
				r.Event.IdempotencyKey = fmt.Sprintf("key-%d", i)
				r.Payload.Body = fmt.Appendf(nil, `{"n":"%c%%_"}`, 'a'+rune(i%3))
				if i%4 == 3 {
					r.Event.SourceID = other.ID
				}
			})
			w.clock.advance(time.Second)
		}
		for range 3 {
			w.receive(t, e)
		}
		for _, c := range claimFrom(t, w.Store, 3, e) {
			record(t, w.Store, outcome(w.Store, c, relay.DeliveryDLQ))
		}
		filters := []lists.EventFilter{{SourceID: other.ID}, {Q: "a%_"}, {Q: "key-7"}, {Q: "PAID*"}, {Q: "\\u0070aid"}, {Q: "KEY"}, {Status: relay.EventFailed}, {Status: relay.EventUnmatched},
			{From: begun.Add(5 * time.Second), To: begun.Add(11 * time.Second)}, {SourceID: other.ID, Status: relay.EventUnmatched, Q: "order"}}
		for _, typ := range oddTypes {
			filters = append(filters, lists.EventFilter{EventType: typ}, lists.EventFilter{EventType: typ, Q: "n"},
				lists.EventFilter{EventType: typ, From: begun.Add(3 * time.Second), SourceID: w.source.ID})
		}
		for _, age := range []time.Duration{0, time.Hour} {
			w.clock.advance(age)
			for _, f := range filters {
				list, err := w.Events(t.Context(), w.project, f, sqldb.Page{Limit: 100})
				check(t, err)
				var want []replays.PairID
				for _, ev := range slices.Backward(list.Rows) {
					want = append(want, replays.PairID{Event: ev.ID, Endpoint: e.ID})
				}
				got := w.run(t, to(e), func(j *relay.ReplayJob) {
					j.Selection = relay.Selection{SourceID: f.SourceID, EventType: f.EventType, Status: f.Status, From: f.From, To: f.To, Q: f.Q}
				})
				if diff := cmp.Diff(want, got, cmpPairs); diff != "" {
					t.Errorf("%+v, %v old: %s", f, age, diff)
				}
			}
		}
	})
}

// TestPlanSelectsTheListOfDeliveries does the same with the list of
// deliveries, each of which goes to its own endpoint.
func TestPlanSelectsTheListOfDeliveries(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, b := w.addEndpoint(t), w.addEndpoint(t)
		begun := w.Now()
		for i := range 2 * len(oddTypes) {
			in := w.reception(a, b)
			in.Event.EventType = oddTypes[i%len(oddTypes)]
			for k := range in.Deliveries {
				in.Deliveries[k].EventType = in.Event.EventType
			}
			_, err := w.Receive(t.Context(), in)
			check(t, err)
			w.clock.advance(time.Second)
		}
		for i, c := range claimFrom(t, w.Store, 100, a, b) {
			r := outcome(w.Store, c, []relay.DeliveryStatus{relay.DeliveryDelivered, relay.DeliveryDLQ, relay.DeliveryDLQ}[i%3])
			r.Attempt.ResponseStatus = []int{200, 500, 503}[i%3]
			record(t, w.Store, r)
		}
		groups, err := w.DeadLetterGroups(t.Context(), w.project)
		check(t, err)
		first := w.planJob(t, to(a))
		_, err = w.StartReplay(t.Context(), w.project, first.ID, system)
		check(t, err)
		_, err = w.WalkReplay(first.ID).Next(t.Context(), 2)
		check(t, err)
		filters := []lists.DeliveryFilter{{Status: relay.DeliveryDLQ}, {Status: relay.DeliveryDLQ, NewestOnly: true}, {Status: relay.DeliveryDelivered, EndpointID: b.ID},
			{EndpointID: a.ID, From: begun.Add(2 * time.Second), To: begun.Add(6 * time.Second)}, {ReplayID: first.ID}, {ReplayID: first.ID, Status: relay.DeliveryPending},
			{Status: relay.DeliveryDLQ, Cause: groups[0].Cause}, {EndpointID: b.ID, Cause: groups[0].Cause, Status: relay.DeliveryDLQ, NewestOnly: true}}
		for _, typ := range oddTypes {
			filters = append(filters, lists.DeliveryFilter{EventType: typ, Status: relay.DeliveryDLQ}, lists.DeliveryFilter{EventType: typ, EndpointID: a.ID})
		}
		for _, f := range filters {
			list, err := w.Deliveries(t.Context(), w.project, f, sqldb.Page{Limit: 100})
			check(t, err)
			var want []replays.PairID
			for _, d := range list.Rows {
				want = append(want, replays.PairID{Event: d.EventID, Endpoint: d.EndpointID})
			}
			slices.SortFunc(want, comparePairs)
			got := w.run(t, func(j *relay.ReplayJob) {
				j.Selection = relay.Selection{DeliveryEndpointID: f.EndpointID, ReplayID: f.ReplayID, EventType: f.EventType, DeliveryStatus: f.Status,
					Cause: f.Cause, From: f.From, To: f.To, NewestOnly: f.NewestOnly}
			})
			if diff := cmp.Diff(slices.Compact(want), got, cmpPairs); diff != "" {
				t.Errorf("%+v: %s", f, diff)
			}
		}
	})
}

// TestPlanCountsDeliveredOfOneType: what was delivered before is counted of the
// type itself.
func TestPlanCountsDeliveredOfOneType(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		for _, typ := range oddTypes {
			in := w.reception(e)
			in.Event.EventType, in.Deliveries[0].EventType = typ, typ
			_, err := w.Receive(t.Context(), in)
			check(t, err)
		}
		for _, c := range claimFrom(t, w.Store, 10, e) {
			record(t, w.Store, outcome(w.Store, c, relay.DeliveryDelivered))
		}
		w.clock.advance(time.Hour)
		for _, typ := range oddTypes {
			j := w.planJob(t, to(e), func(j *relay.ReplayJob) { j.Selection.EventType, j.SkipDelivered = typ, true })
			equal(t, "pairs of "+typ, j.Plan.Pairs, 1)
			equal(t, "delivered of "+typ, j.Plan.AlreadyDelivered, 1)
		}
	})
}
