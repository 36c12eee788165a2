package db

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/replays"
	"github.com/reprise-dev/reprise/relay"
)

func TestIgnoreFilter(t *testing.T) {
	for name, age := range map[string]time.Duration{"walked": time.Hour, "written down": 0} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				other := w.addSource(t, w.project)
				some := w.addEndpoint(t, func(e *relay.Endpoint) { e.EventFilter, e.SourceIDs = []string{"invoice.*"}, []relay.ID{w.source.ID} })
				paid, created := w.typed(t, "invoice.paid"), w.typed(t, "customer.created")
				w.typed(t, "invoice.paid", func(r *engine.Reception) { r.Event.SourceID = other.ID })
				w.clock.advance(age)
				asked := w.run(t, to(some))
				if want := []replays.PairID{{Event: paid, Endpoint: some.ID}}; !slices.Equal(asked, want) {
					t.Errorf("the filter asked: %v, want %v", asked, want)
				}
				// The sources of an endpoint are no filter: it never gets events of others.
				ignored := w.run(t, to(some), func(j *relay.ReplayJob) { j.IgnoreFilter = true })
				if want := []replays.PairID{{Event: paid, Endpoint: some.ID}, {Event: created, Endpoint: some.ID}}; !slices.Equal(ignored, want) {
					t.Errorf("the filter ignored: %v, want %v", ignored, want)
				}
				j := w.planJob(t, to(some))
				equal(t, "unmatched", j.Plan.Unmatched, 2)
			})
		})
	}
}

// TestFilterIsFrozen: what an endpoint takes is what it took when the job was
// planned.
func TestFilterIsFrozen(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t, func(e *relay.Endpoint) { e.EventFilter = []string{"invoice.*"} })
		w.typed(t, "customer.created")
		paid := w.typed(t, "invoice.paid")
		w.clock.advance(time.Hour)
		j := w.planJob(t)
		_, err := w.UpdateEndpoint(t.Context(), w.project, e.ID, "endpoint.updated", system, func(e *relay.Endpoint) error {
			e.EventFilter = []string{"customer.*"}
			return nil
		})
		check(t, err)
		_, err = w.StartReplay(t.Context(), w.project, j.ID, system)
		check(t, err)
		w.drain(t, j.ID, 10, e)
		var sent []relay.ID
		check(t, w.R.NewSelect().Table("deliveries").Column("event_id").Where("replay_id = ?", j.ID).Scan(t.Context(), &sent))
		if !slices.Equal(sent, []relay.ID{paid}) {
			t.Errorf("sent %v, want %v", sent, paid)
		}
	})
}

func TestReplayOfNamedEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, b := w.addEndpoint(t), w.addEndpoint(t, func(e *relay.Endpoint) { e.EventFilter = []string{"customer.*"} })
		var ids []relay.ID
		for range 6 {
			ids = append(ids, w.typed(t, "invoice.paid"))
		}
		rejected := w.typed(t, "invoice.paid", func(r *engine.Reception) {
			r.Event.Status, r.Event.SignatureValid, r.Event.Verdict = relay.EventRejected, false, relay.VerdictBadSignature
		})
		test := w.typed(t, "invoice.paid", func(r *engine.Reception) { r.Event.IsTest = true })
		named := []relay.ID{ids[4], rejected, ids[1], ids[4], test, ids[2]}
		j := w.planJob(t, to(a, b), func(j *relay.ReplayJob) { j.Selection.EventIDs = slices.Clone(named) })
		equal(t, "events", j.Plan.Events, 3)
		equal(t, "named", j.Selection.Named, 6)
		if diff := cmp.Diff([]relay.ReplayTally{{Name: "rejected", Count: 1}, {Name: "test", Count: 1}}, j.Plan.NotReplayable); diff != "" {
			t.Error(diff)
		}
		got := w.run(t, to(a, b), func(j *relay.ReplayJob) { j.Selection.EventIDs = slices.Clone(named) })
		if want := []replays.PairID{{Event: ids[1], Endpoint: a.ID}, {Event: ids[2], Endpoint: a.ID}, {Event: ids[4], Endpoint: a.ID}}; !slices.Equal(got, want) {
			t.Errorf("made %v, want %v", got, want)
		}
		got = w.run(t, to(b), func(j *relay.ReplayJob) {
			j.Selection.EventIDs, j.IgnoreFilter, j.MaxEvents = slices.Clone(named), true, 2
		})
		if want := []replays.PairID{{Event: ids[1], Endpoint: b.ID}, {Event: ids[2], Endpoint: b.ID}}; !slices.Equal(got, want) {
			t.Errorf("the two oldest, the filter ignored: %v, want %v", got, want)
		}
	})
}

func TestReplayOfNamedDeliveries(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, b, c := w.addEndpoint(t), w.addEndpoint(t), w.addEndpoint(t)
		var events, deliveries []relay.ID
		for range 3 {
			in := w.receive(t, a, b)
			events = append(events, in.Event.ID)
			deliveries = append(deliveries, in.Deliveries[0].ID, in.Deliveries[1].ID)
		}
		named := []relay.ID{deliveries[4], deliveries[1], deliveries[0], deliveries[1]}
		got := w.run(t, func(j *relay.ReplayJob) { j.Selection.DeliveryIDs = slices.Clone(named) })
		want := []replays.PairID{{Event: events[0], Endpoint: a.ID}, {Event: events[0], Endpoint: b.ID}, {Event: events[2], Endpoint: a.ID}}
		if diff := cmp.Diff(want, got, cmpPairs); diff != "" {
			t.Errorf("each to its own endpoint: %s", diff)
		}
		got = w.run(t, to(c), func(j *relay.ReplayJob) { j.Selection.DeliveryIDs = slices.Clone(named) })
		if want := []replays.PairID{{Event: events[0], Endpoint: c.ID}, {Event: events[2], Endpoint: c.ID}}; !slices.Equal(got, want) {
			t.Errorf("to another endpoint, once for each event: %v, want %v", got, want)
		}
	})
}
