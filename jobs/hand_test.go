package jobs

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/relay"
)

// unmade is an event with deliveries that are not committed yet.
func (r *rig) unmade(endpoints ...*relay.Endpoint) (relay.Event, relay.Payload, []relay.Delivery) {
	now := r.store.Now()
	ev := relay.Event{ID: relay.NewIDAt(now), ProjectID: r.project, SourceID: r.source.ID, EventType: "test.event",
		Status: relay.EventForwarding, SignatureValid: true, Verdict: relay.VerdictUnverified, ContentType: "text/plain", Size: 1, ReceivedAt: now}
	deliveries := make([]relay.Delivery, len(endpoints))
	for i, e := range endpoints {
		deliveries[i] = relay.Delivery{ID: relay.NewIDAt(now), ProjectID: r.project, EventID: ev.ID, EndpointID: e.ID, SourceID: r.source.ID,
			EventType: ev.EventType, Status: relay.DeliveryPending, NextAttemptAt: now, Trigger: relay.TriggerIngest, CreatedAt: now}
	}
	return ev, relay.Payload{Method: "POST", Body: []byte("x")}, deliveries
}

func TestTakeLeavesWhatMustWait(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		plain := r.endpoint("/plain")
		waiting := map[string]*relay.Endpoint{
			"paused":  r.endpoint("/paused", func(e *relay.Endpoint) { e.Status = relay.EndpointPaused }),
			"limited": r.endpoint("/limited", func(e *relay.Endpoint) { e.RateLimit, e.RateLimitDuration = 5, time.Second }),
			"counted": r.endpoint("/counted", func(e *relay.Endpoint) { e.MaxInFlight = 2 }),
		}
		e := r.start()
		takes := func(ep *relay.Endpoint) bool {
			_, _, deliveries := r.unmade(ep)
			lease := r.client.Take(deliveries)
			if taken := deliveries[0].InFlight; taken != (lease != nil) {
				t.Errorf("in flight %v under the lease %v", taken, lease)
			}
			r.client.Dropped(deliveries)
			return deliveries[0].InFlight
		}
		if !takes(plain) {
			t.Error("a delivery that can be sent at once is not taken")
		}
		for name, ep := range waiting {
			if takes(ep) {
				t.Errorf("a delivery to a %s endpoint is taken", name)
			}
		}
		if (&Client{}).Take(nil) != nil {
			t.Error("a process without an engine takes deliveries")
		}
		if e.places.due(plain.ID, true); takes(plain) {
			t.Error("a delivery passes those that may be due before it")
		}
		e.places.due(plain.ID, false)
		if !takes(plain) {
			t.Error("a delivery is not taken although nothing is due before it")
		}
	})
}

func TestDroppedDeliveriesFreeTheirPlaces(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		ep := r.endpoint("/x")
		r.start()
		fill := func() int {
			for n := 0; ; n++ {
				_, _, deliveries := r.unmade(ep)
				if r.client.Take(deliveries) == nil {
					return n
				}
				defer r.client.Dropped(deliveries)
			}
		}
		first := fill()
		if second := fill(); first == 0 || second != first {
			t.Errorf("%d, and after they were dropped %d are taken", first, second)
		}
	})
}

// TestHandOverToAStoppedEngine is a webhook that was accepted while the
// program stops: it is due, and the next process sends it.
func TestHandOverToAStoppedEngine(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		ep := r.endpoint("/x")
		e := r.start()
		ev, payload, deliveries := r.unmade(ep)
		lease := r.client.Take(deliveries)
		if lease == nil {
			t.Fatal("not taken")
		}
		e.Stop(time.Second)
		got, err := r.store.Receive(t.Context(), db.Reception{Event: ev, Payload: payload, Deliveries: deliveries, Lease: lease})
		r.must(err)
		r.client.Received(&got, &payload, deliveries, lease)
		d, err := r.store.Delivery(t.Context(), r.project, deliveries[0].ID)
		r.must(err)
		if d.InFlight || d.Status != relay.DeliveryPending {
			t.Errorf("in flight %v, %s", d.InFlight, d.Status)
		}
		r.start()
		r.eventually("delivered", func() bool { return r.count(ep, relay.DeliveryDelivered) == 1 })
		r.arrivedOnce("/x", []relay.ID{ev.ID})
	})
}

// TestALostTaskIsHarmless empties Redis whenever something was handed over.
func TestALostTaskIsHarmless(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		ep := r.endpoint("/x")
		e := r.start()
		e.stop() // nobody asks for tasks
		e.loops.Wait()
		events := r.receive(40, ep)
		if len(e.hand.claims) == 0 {
			t.Fatal("nothing is in hand")
		}
		loops, stop := context.WithCancel(t.Context())
		e.stop = stop
		e.asked.drain() // the tasks that were lost
		e.loops.Go(func() { e.asked.run(loops, func(w work) { e.give(loops, w) }) })
		e.loops.Go(func() { e.dispatch(loops) })
		r.eventually("all are delivered", func() bool { return r.count(ep, relay.DeliveryDelivered) == 40 })
		r.arrivedOnce("/x", events)
	})
}

// TestWorkGoesOnWithoutRedis takes Redis away from an engine that runs, and from
// one that starts.
func TestWorkGoesOnWithoutRedis(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{false, true} {
		t.Run(map[bool]string{false: "while it runs", true: "before it starts"}[before], func(t *testing.T) {
			t.Parallel()
			server := startRedis(t)
			r := newRig(t, dbtest.Postgres(t), server.URL)
			if before {
				server.stop()
			}
			r.start()
			if !before {
				server.stop()
			}
			plain := r.endpoint("/plain")
			limited := r.endpoint("/limited", func(e *relay.Endpoint) { e.RateLimit, e.RateLimitDuration = 20, time.Second })
			one := r.endpoint("/one", func(e *relay.Endpoint) { e.MaxInFlight = 1 })
			failing := r.endpoint("/failing", func(e *relay.Endpoint) { e.Retry.MaxRetries = 2 })
			r.sink.script(func(w http.ResponseWriter, q *http.Request, _ int) {
				if q.URL.Path == "/failing" {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			})
			events := r.receive(30, plain, limited, one, failing)
			id := r.plan(1000, []*relay.Endpoint{plain})
			r.launch(id)
			r.eventually("all are delivered", func() bool {
				return r.count(limited, relay.DeliveryDelivered) == 30 && r.count(one, relay.DeliveryDelivered) == 30 && r.count(failing, relay.DeliveryDLQ) == 30
			})
			r.becomes(id, relay.ReplayCompleted)
			r.arrivedOnce("/limited", events)
			r.arrivedOnce("/one", events)
			if n := len(r.sink.hits("/plain")); n != 60 {
				t.Errorf("%d requests arrived, want 60", n)
			}
		})
	}
}

// TestNobodyAsksForWhatIsPaused receives for a paused endpoint and for one that is
// limited: only of this one a task is made.
func TestNobodyAsksForWhatIsPaused(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		paused := r.endpoint("/paused", func(e *relay.Endpoint) { e.Status = relay.EndpointPaused })
		limited := r.endpoint("/limited", func(e *relay.Endpoint) { e.MaxInFlight = 1 })
		r.client = NewClient(r.store, r.redis, r.alone, NewTasks(r.redis, r.alone, slog.Default())) // as where only the web runs
		r.receive(5, paused, limited)
		if got := r.client.asked.drain(); len(got) != 1 || got[0].endpoint != limited.ID || got[0].replay {
			t.Errorf("asked for %+v", got)
		}
	})
}
