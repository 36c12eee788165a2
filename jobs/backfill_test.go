package jobs

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/relay"
)

// TestBackfillUnderIngest makes an endpoint with its backfill while providers
// go on posting, on PostgreSQL through a second process that hears of the
// endpoint only later. Each event arrives exactly once.
func TestBackfillUnderIngest(t *testing.T) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, "sqlite://"+filepath.Join(t.TempDir(), "r.db"), "embedded")
		backfillUnderIngest(t, r, r.store, r.store)
	})
	t.Run("servers", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, dbtest.Postgres(t), dbtest.Redis(t))
		backfillUnderIngest(t, r, r.store, openStore(t, r.url, r.clock))
	})
}

func backfillUnderIngest(t *testing.T, r *rig, stores ...*db.Store) {
	const old, writers = 150, 4
	events := r.receive(old)
	r.clock.advance(time.Hour)
	r.start()

	var lock sync.Mutex
	var all sync.WaitGroup
	var posted, late atomic.Int64
	stop := make(chan struct{})
	for i := range writers {
		all.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				id, taken := r.post(stores[i%len(stores)], fmt.Sprintf(`{"writer":%d,"n":%d}`, i, n))
				posted.Add(1)
				if taken {
					late.Add(1)
				}
				lock.Lock()
				events = append(events, id)
				lock.Unlock()
			}
		})
	}
	r.eventually("some are posted", func() bool { return posted.Load() > 40 })
	e := r.endpoint("/new")
	job, err := r.store.PlanBackfill(t.Context(), r.project, e.ID, 1, 1000, tester)
	r.must(err)
	made := time.Now()
	r.eventually("they post on, also for the endpoint, while the job goes through the old ones", func() bool {
		return time.Since(made) > 2*time.Second && late.Load() > 50 && r.count(e, relay.DeliveryDelivered) > old
	})
	close(stop)
	all.Wait()
	live := int(late.Load())
	r.eventually("what had a delivery at once has arrived", func() bool { return r.count(e, relay.DeliveryDelivered) >= live+old })
	if got := r.job(job.ID); got.Status != relay.ReplayRunning {
		t.Fatalf("the job did not wait for what may still come: %s", got.Status)
	}
	r.engine.Stop(20 * time.Second) // to one that goes on a jump of the clock looks as if it had been silent
	r.clock.advance(time.Minute)
	r.start()
	done := r.becomes(job.ID, relay.ReplayCompleted)
	r.arrivedOnce("/new", events)
	if made, skipped := done.Progress.Succeeded, done.Progress.Delivered; made != len(events)-live || skipped != live {
		t.Errorf("%d sent by the backfill and %d skipped, of %d events with %d sent at once", made, skipped, len(events), live)
	}
}

// post takes an event in as ingest does, with what a process knows of the
// endpoints, and tells whether one of them got it at once.
func (r *rig) post(store *db.Store, body string) (id relay.ID, taken bool) {
	now := store.Now()
	ev := relay.Event{ID: relay.NewIDAt(now), ProjectID: r.project, SourceID: r.source.ID, EventType: "test.event",
		Status: relay.EventUnmatched, SignatureValid: true, Verdict: relay.VerdictUnverified, Size: len(body), ReceivedAt: now}
	payload := relay.Payload{Method: "POST", Body: []byte(body)}
	var deliveries []relay.Delivery
	_, targets := relay.PlanDeliveries(&ev, store.Config().EndpointsOf(r.project))
	for _, e := range targets {
		ev.Status = relay.EventForwarding
		deliveries = append(deliveries, relay.Delivery{ID: relay.NewIDAt(now), ProjectID: r.project, EventID: ev.ID, EndpointID: e.ID,
			SourceID: r.source.ID, EventType: ev.EventType, Status: relay.DeliveryPending, NextAttemptAt: now,
			Trigger: relay.TriggerIngest, CreatedAt: now})
	}
	got, err := store.Receive(r.t.Context(), db.Reception{Event: ev, Payload: payload, Deliveries: deliveries})
	if err != nil {
		r.t.Error(err)
	}
	for _, e := range targets {
		r.client.Nudge(e.ID)
	}
	return got.ID, len(targets) > 0
}
