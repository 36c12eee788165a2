package jobs

import (
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db"
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
		if e.paces.room(plain.ID, 0); takes(plain) {
			t.Error("a delivery passes those that may be due before it")
		}
		e.paces.sated(plain.ID, true)
		e.redisOK.Store(false)
		if takes(plain) {
			t.Error("a delivery is taken that cannot be queued")
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

// TestRedisAwayBetweenTakeAndHandOver leaves a claim that no task carries: it
// is queued when Redis answers again.
func TestRedisAwayBetweenTakeAndHandOver(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		ep := r.endpoint("/x")
		e := r.start()
		ev, payload, deliveries := r.unmade(ep)
		lease := r.client.Take(deliveries)
		got, err := r.store.Receive(t.Context(), db.Reception{Event: ev, Payload: payload, Deliveries: deliveries, Lease: lease})
		r.must(err)
		e.redisOK.Store(false) // what watchRedis would find next, it mends next
		r.client.Received(&got, &payload, deliveries, lease)
		r.eventually("delivered", func() bool { return r.count(ep, relay.DeliveryDelivered) == 1 })
		r.arrivedOnce("/x", []relay.ID{ev.ID})
	})
}
