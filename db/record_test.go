package db

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/relay"
)

func TestRecord(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		in := w.receive(t, e)
		r := outcome(w.Store, claimFrom(t, w.Store, 1, e)[0], relay.DeliveryRetrying)
		r.Attempt.RequestHeaders = relay.Headers{{Name: "Webhook-Id", Value: "\x00\xff"}}
		r.Attempt.ResponseHeaders = relay.Headers{{Name: "A", Value: "1"}, {Name: "a", Value: "2"}}
		r.Attempt.ResponseBody, r.Attempt.Truncated = []byte("\x00\xff no"), true
		r.Attempt.Error = r.LastError
		equal(t, "stale", record(t, w.Store, r), false)
		d := w.delivery(t, in.Deliveries[0].ID)
		want := in.Deliveries[0]
		want.Status, want.Lane, want.Attempts, want.NextAttemptAt = relay.DeliveryRetrying, relay.LaneRetry, 1, r.NextAttemptAt
		want.LastResponseStatus, want.LastResponseExcerpt, want.LastError = 500, "\uFFFD\uFFFD no", r.LastError
		if diff := cmp.Diff(want, d); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]relay.Attempt{r.Attempt}, w.attempts(t, d.ID)); diff != "" {
			t.Error(diff)
		}
		equal(t, "event", w.event(t, in.Event.ID).Status, relay.EventForwarding)

		w.clock.advance(time.Minute)
		r = outcome(w.Store, claimFrom(t, w.Store, 1, e)[0], relay.DeliveryDelivered)
		equal(t, "stale", record(t, w.Store, r), false)
		d = w.delivery(t, in.Deliveries[0].ID)
		equal(t, "status", d.Status, relay.DeliveryDelivered)
		equal(t, "delivered at", d.DeliveredAt, r.Attempt.StartedAt.Add(r.Attempt.Duration))
		equal(t, "last error", d.LastError, "")
		equal(t, "event", w.event(t, in.Event.ID).Status, relay.EventDelivered)
		equal(t, "attempts", len(w.attempts(t, d.ID)), 2)
	})
}

func TestStaleRecordingKeepsItsAttemptOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		in := w.receive(t, e)
		id := in.Deliveries[0].ID
		first := claimFrom(t, w.Store, 1, e)[0]
		w.clock.advance(2 * time.Minute)
		n, err := w.Reclaim(t.Context(), false)
		check(t, err)
		equal(t, "reclaimed", n, 1)
		stale := outcome(w.Store, first, relay.DeliveryDelivered)
		equal(t, "stale before the next claim", record(t, w.Store, stale), true)
		second := claimFrom(t, w.Store, 1, e)[0]
		if second.Fence <= first.Fence {
			t.Errorf("fence %d after %d", second.Fence, first.Fence)
		}
		before := w.delivery(t, id)
		late := outcome(w.Store, first, relay.DeliveryDLQ)
		equal(t, "stale", record(t, w.Store, late), true)
		if diff := cmp.Diff(before, w.delivery(t, id)); diff != "" {
			t.Errorf("a stale recording moved the delivery: %s", diff)
		}
		fresh := outcome(w.Store, second, relay.DeliveryDelivered)
		equal(t, "stale", record(t, w.Store, fresh), false)
		equal(t, "recorded twice is stale", record(t, w.Store, fresh), true)
		equal(t, "attempts: interrupted, two stale, one good", len(w.attempts(t, id)), 4)
		equal(t, "status", w.delivery(t, id).Status, relay.DeliveryDelivered)
		equal(t, "event", w.event(t, in.Event.ID).Status, relay.EventDelivered)
	})
}

// TestEventSums settles the deliveries of events in every order with every
// outcome, and compares with what relay says of them.
func TestEventSums(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		endpoints := []*relay.Endpoint{w.addEndpoint(t), w.addEndpoint(t), w.addEndpoint(t)}
		outcomes := []relay.DeliveryStatus{relay.DeliveryDelivered, relay.DeliveryDLQ, relay.DeliveryRetrying, relay.DeliveryDiscarded}
		for _, order := range [][]int{{0}, {0, 1}, {1, 0}, {0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {2, 0, 1}, {0, 2, 1}, {1, 0, 2}} {
			for combination := range 1 << (2 * len(order)) {
				if len(order) == 3 && combination%5 != 0 {
					continue
				}
				in := w.receive(t, endpoints[:len(order)]...)
				claims := map[relay.ID]engine.Claim{}
				for _, c := range claimFrom(t, w.Store, 1, endpoints[:len(order)]...) {
					claims[c.DeliveryID] = c
				}
				for _, i := range order {
					id, status := in.Deliveries[i].ID, outcomes[combination>>(2*i)&3]
					if status == relay.DeliveryDiscarded {
						_, err := w.DiscardDelivery(t.Context(), w.project, id, "test", system)
						check(t, err)
					} else {
						record(t, w.Store, outcome(w.Store, claims[id], status))
					}
					all, err := w.DeliveriesOfEvents(t.Context(), []relay.ID{in.Event.ID})
					check(t, err)
					equal(t, fmt.Sprintf("event after %v of %v", i, order), w.event(t, in.Event.ID).Status, relay.EventStatusOf(all[in.Event.ID]))
				}
				exec(t, w.Store, "UPDATE deliveries SET due_at = NULL") // what still waits is not for the next round
			}
		}
	})
}

// TestEventsNeverStickInForwarding settles the deliveries of each event at the
// same time, on PostgreSQL in two processes.
func TestEventsNeverStickInForwarding(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		endpoints := []*relay.Endpoint{w.addEndpoint(t), w.addEndpoint(t), w.addEndpoint(t)}
		stores := []*Store{w.Store, w.Store}
		if w.PG {
			stores[1] = w.beside(t)
		}
		const events = 150
		var wait sync.WaitGroup
		for range events {
			wait.Go(func() { w.receive(t, endpoints...) })
		}
		wait.Wait()
		claims := claimFrom(t, w.Store, events, endpoints...)
		equal(t, "claims", len(claims), 3*events)
		rand.Shuffle(len(claims), func(i, j int) { claims[i], claims[j] = claims[j], claims[i] })
		failed := map[relay.ID]bool{}
		for i, c := range claims {
			status := relay.DeliveryDelivered
			if i%4 == 0 {
				status, failed[c.EventID] = relay.DeliveryDLQ, true
			}
			r := outcome(w.Store, c, status)
			wait.Add(1)
			stores[i%2].Record(t.Context(), r, func(stale bool, err error) {
				if stale || err != nil {
					t.Errorf("stale %v, %v", stale, err)
				}
				wait.Done()
			})
		}
		wait.Wait()
		equal(t, "events in forwarding", number(t, w.Store, "SELECT count(*) FROM events WHERE status = 'forwarding'"), 0)
		equal(t, "events failed", number(t, w.Store, "SELECT count(*) FROM events WHERE status = 'failed'"), len(failed))
	})
}

func TestReclaim(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		in := w.receive(t, e)
		id := in.Deliveries[0].ID
		reclaim := func(all bool) int {
			t.Helper()
			n, err := w.Reclaim(t.Context(), all)
			check(t, err)
			return n
		}
		equal(t, "reclaimed without claims", reclaim(true), 0)
		claimFrom(t, w.Store, 1, e)
		equal(t, "reclaimed before the lease ends", reclaim(false), 0)
		equal(t, "reclaimed of all", reclaim(true), 1)
		d := w.delivery(t, id)
		if d.Status != relay.DeliveryPending || d.InFlight || d.NextAttemptAt.IsZero() || d.LastError == "" {
			t.Errorf("after an interruption: %+v", d)
		}
		record(t, w.Store, outcome(w.Store, claimFrom(t, w.Store, 1, e)[0], relay.DeliveryRetrying))
		w.clock.advance(time.Minute)
		for i := range 12 {
			claims := claimFrom(t, w.Store, 1, e)
			if len(claims) != 1 {
				t.Fatalf("not due after interruption %d", i+1)
			}
			equal(t, "interruptions", claims[0].Interrupted, i)
			w.clock.advance(2 * time.Minute)
			equal(t, "reclaimed", reclaim(false), 1)
		}
		d = w.delivery(t, id)
		if d.Status != relay.DeliveryRetrying || d.Attempts != 1 {
			t.Errorf("after twelve interruptions: %+v", d)
		}
		equal(t, "event", w.event(t, in.Event.ID).Status, relay.EventForwarding)
		interrupted := 0
		for _, a := range w.attempts(t, id) {
			if a.Outcome == relay.OutcomeInterrupted {
				interrupted++
			}
		}
		equal(t, "interrupted attempts", interrupted, 13)
		record(t, w.Store, outcome(w.Store, claimFrom(t, w.Store, 1, e)[0], relay.DeliveryRetrying))
		w.clock.advance(time.Minute)
		equal(t, "interruptions after an outcome", claimFrom(t, w.Store, 1, e)[0].Interrupted, 0)
	})
}

// TestOnlyWhatDiedAloneIsGivenUp lets processes die with deliveries in hand. Once
// the fifth death made dead letters of all of them, though nothing was sent.
func TestOnlyWhatDiedAloneIsGivenUp(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		poison, innocent := w.receive(t, e), w.receive(t, e)
		deaths := 0
		for w.delivery(t, poison.Deliveries[0].ID).Status != relay.DeliveryDLQ {
			claims := claimFrom(t, w.Store, 10, e)
			equal(t, "due", len(claims), 2)
			for i := range claims {
				if claims[i].DeliveryID == poison.Deliveries[0].ID && claims[i].Interrupted >= relay.SuspectAfter {
					check(t, w.MarkAlone(t.Context(), &claims[i]))
				}
			}
			if deaths++; deaths > 20 {
				t.Fatal("what kills its process is tried for ever")
			}
			w.clock.advance(2 * time.Minute)
			_, err := w.Reclaim(t.Context(), false)
			check(t, err)
			w.clock.advance(time.Minute)
		}
		equal(t, "deaths", deaths, relay.SuspectAfter+3)
		if d := w.delivery(t, poison.Deliveries[0].ID); !strings.Contains(d.LastError, "died 3 times") || d.Attempts != 0 {
			t.Errorf("the dead letter says %q after %d attempts", d.LastError, d.Attempts)
		}
		equal(t, "its event", w.event(t, poison.Event.ID).Status, relay.EventFailed)
		equal(t, "the other", w.delivery(t, innocent.Deliveries[0].ID).Status, relay.DeliveryPending)
		_, err := w.RetryDelivery(t.Context(), w.project, poison.Deliveries[0].ID, "webhook_delivery.retried", system)
		check(t, err)
		for _, c := range claimFrom(t, w.Store, 10, e) {
			if c.DeliveryID == poison.Deliveries[0].ID {
				equal(t, "deaths after a retry by hand", c.DiedAlone, 0)
			}
		}
	})
}

func TestReclaimMany(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		var wait sync.WaitGroup
		for range engine.ReclaimRows + 100 {
			wait.Go(func() { w.receive(t, e) })
		}
		wait.Wait()
		claimFrom(t, w.Store, engine.ReclaimRows+100, e)
		n, err := w.Reclaim(t.Context(), true)
		check(t, err)
		equal(t, "reclaimed", n, engine.ReclaimRows+100)
	})
}
