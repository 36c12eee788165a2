package jobs

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/relay"
)

func TestEveryEventArrivesOnce(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		r.start()
		a, b := r.endpoint("/a"), r.endpoint("/b")
		events := r.receive(400, a, b)
		r.eventually("all delivered", func() bool {
			return r.count(a, relay.DeliveryDelivered) == 400 && r.count(b, relay.DeliveryDelivered) == 400
		})
		for _, path := range []string{"/a", "/b"} {
			seen := map[string]int{}
			for _, h := range r.sink.hits(path) {
				seen[h.event]++
			}
			for _, id := range events {
				if n := seen[relay.PrefixEvent.Format(id)]; n != 1 {
					t.Errorf("event %s arrived %d times at %s", id, n, path)
				}
			}
		}
		ev, err := r.store.Event(t.Context(), r.project, events[0])
		r.must(err)
		if ev.Status != relay.EventDelivered {
			t.Errorf("the event is %s", ev.Status)
		}
	})
}

func TestFailuresAreRetriedUntilDeadLetter(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		r.start()
		r.sink.script(func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusInternalServerError) })
		e := r.endpoint("/bad", func(e *relay.Endpoint) { e.Retry.MaxRetries = 3 })
		r.receive(1, e)
		r.eventually("dead letter", func() bool { return r.count(e, relay.DeliveryDLQ) == 1 })
		var attempts []string
		for _, h := range r.sink.hits("/bad") {
			attempts = append(attempts, h.attempt)
		}
		if want := []string{"1", "2", "3", "4"}; !slices.Equal(attempts, want) {
			t.Errorf("attempts %v arrived, want %v", attempts, want)
		}
		list, err := r.store.Deliveries(t.Context(), r.project, db.DeliveryFilter{EndpointID: e.ID}, db.Page{})
		r.must(err)
		d := list.Rows[0]
		log, err := r.store.Attempts(t.Context(), d.ID)
		r.must(err)
		if len(log) != 4 || d.Attempts != 4 || d.LastResponseStatus != 500 || d.LastError == "" {
			t.Errorf("%d attempts logged; delivery %+v", len(log), d)
		}
	})
}

func TestARetryThatSucceedsDelivers(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		r.start()
		r.sink.script(func(w http.ResponseWriter, _ *http.Request, earlier int) {
			if earlier < 2 {
				w.WriteHeader(http.StatusBadGateway)
			}
		})
		e := r.endpoint("/flaky")
		r.receive(20, e)
		r.eventually("all delivered", func() bool { return r.count(e, relay.DeliveryDelivered) == 20 })
		if n := len(r.sink.hits("/flaky")); n != 60 {
			t.Errorf("%d requests arrived, want 60", n)
		}
	})
}

func TestPausedDeliveriesWaitAndGoOutOnResume(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		r.start()
		e := r.endpoint("/p", func(e *relay.Endpoint) { e.Status = relay.EndpointPaused })
		other := r.endpoint("/o")
		r.receive(5, e, other)
		r.eventually("the other got them", func() bool { return r.count(other, relay.DeliveryDelivered) == 5 })
		if n := len(r.sink.hits("/p")); n != 0 {
			t.Fatalf("%d requests arrived at a paused endpoint", n)
		}
		_, err := r.store.UpdateEndpoint(t.Context(), r.project, e.ID, "endpoint.resumed", relay.Actor{Kind: relay.ActorSystem},
			func(e *relay.Endpoint) error { e.Status = relay.EndpointActive; return nil })
		r.must(err)
		r.eventually("they went out", func() bool { return r.count(e, relay.DeliveryDelivered) == 5 })
	})
}

func TestGonePausesTheEndpoint(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		r.start()
		r.sink.script(func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusGone) })
		e := r.endpoint("/gone")
		r.receive(1, e)
		r.eventually("paused", func() bool {
			now, err := r.store.Endpoint(r.project, e.ID)
			return err == nil && now.Status == relay.EndpointPaused
		})
	})
}

func TestRateLimitHoldsInEveryWindow(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		r.start()
		const rate, per = 5, 1600 * time.Millisecond // long beside what a busy machine delays
		e := r.endpoint("/slow", func(e *relay.Endpoint) { e.RateLimit, e.RateLimitDuration = rate, per })
		r.receive(18, e)
		r.eventually("all delivered", func() bool { return r.count(e, relay.DeliveryDelivered) == 18 })
		hits := r.sink.hits("/slow")
		for i := rate; i < len(hits); i++ {
			// Requests travel for a moment after the limit has let them go.
			if gap := hits[i].at.Sub(hits[i-rate].at); gap < per-per/4 {
				t.Errorf("%d requests within %s", rate+1, gap)
			}
		}
	})
}

func TestMaxInFlightIsNeverExceeded(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		r.start()
		held := make(chan struct{})
		r.sink.script(func(w http.ResponseWriter, _ *http.Request, _ int) { <-held })
		e := r.endpoint("/one", func(e *relay.Endpoint) { e.MaxInFlight = 3 })
		r.receive(30, e)
		r.eventually("three under way", func() bool { r.sink.mu.Lock(); defer r.sink.mu.Unlock(); return r.sink.now == 3 })
		close(held)
		r.eventually("all delivered", func() bool { return r.count(e, relay.DeliveryDelivered) == 30 })
		if r.sink.most > 3 {
			t.Errorf("%d requests at the same time", r.sink.most)
		}
	})
}

func TestLosingRedisLosesNothing(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		r.start()
		e := r.endpoint("/f")
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.receive(600, e)
		}()
		flushes := 0
		r.eventually("all delivered in spite of flushes", func() bool {
			if flushes < 40 {
				flushes++
				r.must(r.redis.FlushDB(t.Context()).Err())
			}
			return r.count(e, relay.DeliveryDelivered) == 600
		})
		<-done
		if n := len(r.sink.hits("/f")); n != 600 {
			t.Errorf("%d requests arrived, want 600", n)
		}
	})
}

func TestForeignTasksAreDropped(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		r.start()
		e := r.endpoint("/x")
		foreign := asynq.NewClientFromRedisClient(r.redis)
		for _, payload := range [][]byte{nil, []byte("{}"), work{endpoint: relay.NewID(), most: 7}.pack(), work{most: 9}.pack()} {
			for _, kind := range []string{typeDeliver, "unknown"} {
				_, err := foreign.Enqueue(asynq.NewTask(kind, payload), asynq.Queue(queueDeliver))
				r.must(err)
			}
		}
		r.receive(3, e)
		r.eventually("work goes on", func() bool { return r.count(e, relay.DeliveryDelivered) == 3 })
		if n := len(r.sink.hits("")); n != 3 {
			t.Errorf("%d requests arrived", n)
		}
		inspect := asynq.NewInspectorFromRedisClient(r.redis)
		r.eventually("asynq keeps nothing", func() bool {
			info, err := inspect.GetQueueInfo(queueDeliver)
			return err == nil && info.Size == 0 && info.Retry == 0 && info.Archived == 0
		})
	})
}

func TestStopGivesBackWhatWasNotBegun(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		first := r.start(func(o *EngineOptions) { o.Concurrency = 2 })
		r.sink.script(func(http.ResponseWriter, *http.Request, int) { <-time.After(100 * time.Millisecond) })
		e := r.endpoint("/s")
		r.receive(30, e)
		r.eventually("some under way", func() bool { return len(r.sink.hits("/s")) > 0 })
		first.Stop(10 * time.Second)
		if n := r.count(e, relay.DeliveryDelivered); n == 30 {
			t.Fatal("everything was delivered before the stop")
		}
		r.sink.script(func(http.ResponseWriter, *http.Request, int) {})
		r.start()
		r.eventually("the next engine does the rest", func() bool { return r.count(e, relay.DeliveryDelivered) == 30 })
		if n := len(r.sink.hits("/s")); n != 30 {
			t.Errorf("%d requests arrived, want 30", n)
		}
	})
}

func TestAHangingEndpointDelaysNobody(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		t.Cleanup(func() { close(release) })
		r.sink.script(func(_ http.ResponseWriter, q *http.Request, _ int) {
			if q.URL.Path == "/hang" {
				select {
				case <-release:
				case <-q.Context().Done():
				}
			}
		})
		r.start()
		hang := r.endpoint("/hang", func(e *relay.Endpoint) { e.HTTPTimeout = time.Second })
		good := r.endpoint("/good")
		r.receive(3000, hang)
		r.receive(50, good)
		r.eventually("the good endpoint got its own", func() bool { return len(r.sink.hits("/good")) == 50 })
		if n := len(r.sink.hits("/hang")); n > 1000 {
			t.Errorf("%d of 3,000 requests to the hanging endpoint went first", n)
		}
	})
}

func TestTwoEnginesShareTheWork(t *testing.T) {
	t.Parallel()
	url, redisURL := dbtest.Postgres(t), dbtest.Redis(t)
	a := newRig(t, url, redisURL)
	b := newRig(t, url, redisURL)
	b.sink = a.sink
	a.start()
	b.start()
	e := a.endpoint("/two")
	a.eventually("both know the endpoint", func() bool { _, err := b.store.Endpoint(a.project, e.ID); return err == nil })
	done := make(chan struct{})
	go func() { defer close(done); b.receive(300, e) }()
	a.receive(300, e)
	<-done
	a.eventually("all delivered", func() bool { return a.count(e, relay.DeliveryDelivered) == 600 })
	if n := len(a.sink.hits("/two")); n != 600 {
		t.Errorf("%d requests arrived, want 600", n)
	}
}
