package jobs

import (
	"net/http"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/relay"
)

// blocked starts an engine that sends one at a time to an endpoint which answers
// only when it is let go. What else is for it is claimed and waits.
func blocked(r *rig) (e *relay.Endpoint, letGo func()) {
	r.start(func(o *EngineOptions) { o.Concurrency = 2 })
	gate := make(chan struct{})
	r.sink.script(func(_ http.ResponseWriter, q *http.Request, _ int) {
		select {
		case <-gate:
		case <-q.Context().Done():
		}
	})
	return r.endpoint("/one", func(e *relay.Endpoint) { e.HTTPTimeout = time.Minute }), func() { close(gate) }
}

// TestWhatIsDiscardedIsNotSent discards 20 deliveries that wait behind one that
// is being sent. They all went out.
func TestWhatIsDiscardedIsNotSent(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		e, letGo := blocked(r)
		r.receive(21, e)
		r.eventually("one is being sent", func() bool { return len(r.sink.hits("/one")) == 1 })
		sent := r.sink.hits("/one")[0].delivery
		list, err := r.store.Deliveries(t.Context(), r.project, db.DeliveryFilter{EndpointID: e.ID}, db.Page{Limit: 100})
		r.must(err)
		for _, d := range list.Rows {
			if relay.PrefixDelivery.Format(d.ID) != sent {
				_, err := r.store.DiscardDelivery(t.Context(), r.project, d.ID, "not wanted", tester)
				r.must(err)
			}
		}
		letGo()
		r.quietAfter(e, 1)
		if n := r.count(e, relay.DeliveryDiscarded); n != 20 {
			t.Errorf("%d are discarded", n)
		}
	})
}

// quietAfter checks that an endpoint gets no more than so many requests, while
// others get what comes in for them.
func (r *rig) quietAfter(e *relay.Endpoint, most int) {
	r.t.Helper()
	other := r.endpoint("/other")
	for i := range 40 {
		r.receive(1, other)
		r.eventually("others get theirs", func() bool { return len(r.sink.hits("/other")) == i+1 })
	}
	if n := len(r.sink.hits(e.Name)); n > most {
		r.t.Errorf("%d requests were made, want %d", n, most)
	}
}

func TestPausingAnEndpointHoldsForWhatWaits(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		e, letGo := blocked(r)
		r.receive(21, e)
		r.eventually("one is being sent", func() bool { return len(r.sink.hits("/one")) == 1 })
		_, err := r.store.UpdateEndpoint(t.Context(), r.project, e.ID, "endpoint.paused", tester, func(e *relay.Endpoint) error {
			e.Status = relay.EndpointPaused
			return nil
		})
		r.must(err)
		letGo()
		r.quietAfter(e, 1)
		_, err = r.store.UpdateEndpoint(t.Context(), r.project, e.ID, "endpoint.resumed", tester, func(e *relay.Endpoint) error {
			e.Status = relay.EndpointActive
			return nil
		})
		r.must(err)
		r.client.Nudge(e.ID)
		r.eventually("they go out when it is resumed", func() bool { return r.count(e, relay.DeliveryDelivered) == 21 })
	})
}

func TestDeletingAnEndpointHoldsForWhatWaits(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		e, letGo := blocked(r)
		r.receive(21, e)
		r.eventually("one is being sent", func() bool { return len(r.sink.hits("/one")) == 1 })
		r.must(r.store.DeleteEndpoint(t.Context(), r.project, e.ID, tester))
		letGo()
		r.quietAfter(e, 1)
		r.eventually("the others are discarded", func() bool { return r.count(e, relay.DeliveryDiscarded) >= 20 })
	})
}

func TestCancellingAReplayHoldsForWhatWaits(t *testing.T) {
	for name, stop := range map[string]func(*rig, relay.ID) error{
		"cancelled": func(r *rig, id relay.ID) error {
			_, err := r.store.CancelReplay(r.t.Context(), r.project, id, tester)
			return err
		},
		"paused": func(r *rig, id relay.ID) error {
			_, err := r.store.PauseReplay(r.t.Context(), r.project, id, "", tester)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryTransport(t, func(t *testing.T, r *rig) {
				r.receive(30)
				e, letGo := blocked(r)
				job := r.plan(1000, []*relay.Endpoint{e})
				r.launch(job)
				r.eventually("one is being sent", func() bool { return len(r.sink.hits("/one")) == 1 })
				r.eventually("others wait", func() bool { return r.count(e, relay.DeliveryPending) > 1 })
				r.must(stop(r, job))
				letGo()
				r.quietAfter(e, 1)
			})
		})
	}
}

// TestWhatIsCutOffCostsNoAttempt stops an engine whose requests do not end.
func TestWhatIsCutOffCostsNoAttempt(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		e, letGo := blocked(r)
		defer letGo()
		id := r.receiveOne("{}", e)
		r.eventually("it is being sent", func() bool { return len(r.sink.hits("/one")) == 1 })
		r.engine.Stop(time.Millisecond)
		list, err := r.store.Deliveries(t.Context(), r.project, db.DeliveryFilter{EventID: id}, db.Page{})
		r.must(err)
		d := list.Rows[0]
		if d.Status != relay.DeliveryPending || d.Attempts != 0 || d.NextAttemptAt.IsZero() {
			t.Errorf("%s after %d attempts, due %v", d.Status, d.Attempts, d.NextAttemptAt)
		}
		log, err := r.store.Attempts(t.Context(), d.ID)
		r.must(err)
		if len(log) != 1 || log[0].Outcome != relay.OutcomeInterrupted {
			t.Errorf("the log has %+v", log)
		}
	})
}

// TestSuspectsAreTriedAlone has deliveries that were in the hands of processes
// that died. They arrive, never two of them at a time, beside others.
func TestSuspectsAreTriedAlone(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		r.sink.script(func(http.ResponseWriter, *http.Request, int) { <-time.After(5 * time.Millisecond) })
		e := r.endpoint("/a")
		r.receive(20, e)
		for range relay.SuspectAfter {
			claims, _, err := r.store.Claim(t.Context(), db.Lease{Owner: 1, Until: r.store.Now().Add(time.Minute)},
				db.ClaimRequest{EndpointID: e.ID, Limit: 100, Lanes: []relay.Lane{relay.LaneLive}})
			r.must(err)
			if len(claims) != 20 {
				t.Fatalf("%d claims", len(claims))
			}
			_, err = r.store.Reclaim(t.Context(), true)
			r.must(err)
		}
		r.start()
		r.eventually("all arrive", func() bool { return r.count(e, relay.DeliveryDelivered) == 20 })
		r.sink.mu.Lock()
		defer r.sink.mu.Unlock()
		if r.sink.most != 1 {
			t.Errorf("%d suspects were under way at the same time", r.sink.most)
		}
	})
}

// TestClaimsAreGivenBackOnceTheDatabaseAnswers ends PostgreSQL while deliveries wait
// for their turn. They were nobody's for more than a minute after it was back, since
// nobody tried again to give them back.
func TestClaimsAreGivenBackOnceTheDatabaseAnswers(t *testing.T) {
	t.Parallel()
	server, err := dbtest.StartPostgres(dbtest.Throwaway)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, server.URL, dbtest.Redis(t))
	t.Cleanup(server.Stop)
	r.start(func(o *EngineOptions) { o.Concurrency = 2 })
	gate := make(chan struct{})
	r.sink.script(func(http.ResponseWriter, *http.Request, int) {
		if len(r.sink.hits("/one")) > 5 {
			<-gate
		}
	})
	e := r.endpoint("/one", func(e *relay.Endpoint) { e.HTTPTimeout = time.Minute })
	r.receive(5, e)
	r.eventually("it is known to be quick", func() bool { return r.count(e, relay.DeliveryDelivered) == 5 })
	r.receive(20, e)
	waiting := func(n int) bool {
		r.engine.places.mu.Lock()
		defer r.engine.places.mu.Unlock()
		return r.engine.places.sending.all == min(n, 1) && len(r.engine.places.byID[e.ID].liveWait) >= n
	}
	r.eventually("several wait behind one that is being sent", func() bool { return waiting(3) })
	r.must(server.Halt("INT"))
	close(gate)
	r.eventually("all had their turn", func() bool { return waiting(0) })
	r.must(server.Again())
	r.eventually("all are delivered", func() bool {
		n, err := r.store.CountDeliveries(t.Context(), r.project, db.DeliveryFilter{EndpointID: e.ID, Status: relay.DeliveryDelivered}, 100)
		return err == nil && n == 25
	})
	if n := len(r.sink.hits("/one")); n != 25 {
		t.Errorf("%d requests were made", n)
	}
}
