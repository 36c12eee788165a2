package jobs

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

var tester = relay.Actor{Kind: relay.ActorSystem, Name: "test"}

// plan plans a job over all events to the endpoints given.
func (r *rig) plan(rate int, endpoints []*relay.Endpoint, change ...func(*relay.ReplayJob)) relay.ID {
	r.t.Helper()
	j := &relay.ReplayJob{ProjectID: r.project, RateLimit: rate, Brake: relay.DefaultReplayBrake}
	for _, e := range endpoints {
		j.EndpointIDs = append(j.EndpointIDs, e.ID)
	}
	for _, c := range change {
		c(j)
	}
	r.must(r.store.PlanReplay(r.t.Context(), j, tester))
	return j.ID
}

func (r *rig) launch(id relay.ID) {
	r.t.Helper()
	_, err := r.store.StartReplay(r.t.Context(), r.project, id, tester)
	r.must(err)
}

func (r *rig) job(id relay.ID) relay.ReplayJob {
	r.t.Helper()
	j, err := r.store.Replay(r.t.Context(), r.project, id)
	r.must(err)
	return j
}

func (r *rig) becomes(id relay.ID, status relay.ReplayStatus) relay.ReplayJob {
	r.t.Helper()
	r.eventually("the job is "+string(status), func() bool { return r.job(id).Status == status })
	return r.job(id)
}

// arrivedOnce checks that each event arrived exactly once on a path.
func (r *rig) arrivedOnce(path string, events []relay.ID) {
	r.t.Helper()
	seen := map[string]int{}
	for _, h := range r.sink.hits(path) {
		seen[h.event]++
	}
	for _, id := range events {
		if n := seen[relay.PrefixEvent.Format(id)]; n != 1 {
			r.t.Errorf("%s arrived %d times on %s", relay.PrefixEvent.Format(id), n, path)
		}
	}
	if len(seen) != len(events) {
		r.t.Errorf("%d events arrived on %s, want %d", len(seen), path, len(events))
	}
}

func TestReplayJobSendsItsPlan(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		a, b := r.endpoint("/a"), r.endpoint("/b", func(e *relay.Endpoint) { e.MaxInFlight = 1 })
		events := r.receive(60)
		id := r.plan(500, []*relay.Endpoint{a, b})
		r.receive(5)
		r.start()
		r.launch(id)
		j := r.becomes(id, relay.ReplayCompleted)
		r.arrivedOnce("/a", events)
		r.arrivedOnce("/b", events)
		if j.Progress.Succeeded != 120 || j.Progress.Processed != 120 || j.Progress.Total != 120 {
			t.Errorf("progress %+v", j.Progress)
		}
		slices.SortFunc(events, func(a, b relay.ID) int { return slices.Compare(a[:], b[:]) })
		for i, h := range r.sink.hits("/b") {
			if h.event != relay.PrefixEvent.Format(events[i]) {
				t.Fatalf("number %d is not the next oldest", i)
			}
			if got := h.header.Get("X-Reprise-Replay-Id"); got != relay.PrefixReplay.Format(id) {
				t.Fatalf("replay id %q", got)
			}
		}
	})
}

func TestReplayJobSurvivesStops(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		a, b := r.endpoint("/a"), r.endpoint("/b")
		events := r.receive(150)
		id := r.plan(400, []*relay.Endpoint{a, b})
		r.launch(id)
		for i := range 5 {
			e := r.start()
			r.eventually("some arrive", func() bool { return len(r.sink.hits("")) > 30*(i+1) })
			e.Stop(20 * time.Second)
		}
		r.start()
		r.becomes(id, relay.ReplayCompleted)
		r.arrivedOnce("/a", events)
		r.arrivedOnce("/b", events)
	})
}

func TestReplayJobHoldsItsRate(t *testing.T) {
	const burst = 12 // what may be under way, whatever the rate
	onEveryTransport(t, func(t *testing.T, r *rig) {
		e := r.endpoint("/a")
		r.receive(200)
		id := r.plan(40, []*relay.Endpoint{e})
		r.start()
		launched := time.Now()
		r.launch(id)
		r.eventually("many arrive", func() bool { return len(r.sink.hits("/a")) >= 100 })
		for i, h := range r.sink.hits("/a") {
			if most := 40*h.at.Sub(launched).Seconds() + burst; float64(i) > most {
				t.Fatalf("%d had arrived after %s, want %.0f at most", i+1, h.at.Sub(launched), most)
			}
		}
		_, err := r.store.SetReplayRate(t.Context(), r.project, id, 5, tester)
		r.must(err)
		slowed, before := time.Now(), len(r.sink.hits("/a"))
		r.eventually("some more arrive", func() bool { return len(r.sink.hits("/a")) >= before+15 || time.Since(slowed) > 3*time.Second })
		if n := len(r.sink.hits("/a")) - before; float64(n) > 5*time.Since(slowed).Seconds()+burst {
			t.Errorf("%d arrived in %v after the rate became 5", n, time.Since(slowed))
		}
		_, err = r.store.SetReplayRate(t.Context(), r.project, id, 1000, tester)
		r.must(err)
		r.becomes(id, relay.ReplayCompleted)
	})
}

func TestReplayJobPausesResumesAndCancels(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		e := r.endpoint("/a")
		events := r.receive(120)
		r.start()
		first := r.plan(60, []*relay.Endpoint{e})
		r.launch(first)
		r.eventually("some arrive", func() bool { return len(r.sink.hits("/a")) > 10 })
		_, err := r.store.PauseReplay(t.Context(), r.project, first, "Lunch", tester)
		r.must(err)
		live, before := r.endpoint("/live"), 0
		for i := range 60 {
			r.receive(1, live)
			r.eventually("live events go on", func() bool { return len(r.sink.hits("/live")) == i+1 })
			if i == 20 { // what was under way has long arrived
				before = len(r.sink.hits("/a"))
			}
		}
		late := len(r.sink.hits("/a")) - before
		if j := r.job(first); late > 0 || j.Status != relay.ReplayPaused || j.Reason != "Lunch" || j.Progress.Succeeded == 120 {
			t.Errorf("%d arrived while paused: %+v", late, j)
		}
		_, err = r.store.ResumeReplay(t.Context(), r.project, first, tester)
		r.must(err)
		r.becomes(first, relay.ReplayCompleted)
		r.arrivedOnce("/a", events)
		other := r.endpoint("/b")
		second := r.plan(50, []*relay.Endpoint{other})
		r.launch(second)
		r.eventually("some arrive", func() bool { return len(r.sink.hits("/b")) > 10 })
		_, err = r.store.CancelReplay(t.Context(), r.project, second, tester)
		r.must(err)
		r.eventually("it settles", func() bool { p := r.job(second).Progress; return p.Waiting+p.Retrying == 0 })
		j := r.job(second)
		if n := len(r.sink.hits("/b")); n != j.Progress.Succeeded || n == 120 || j.Status != relay.ReplayCancelled {
			t.Errorf("%d arrived: %+v", n, j)
		}
	})
}

func TestReplayJobBrakes(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		e := r.endpoint("/a", func(e *relay.Endpoint) { e.Retry.MaxRetries = 0 })
		r.receive(300)
		var healthy atomic.Bool
		r.sink.script(func(w http.ResponseWriter, req *http.Request, _ int) {
			if healthy.Load() {
				return
			}
			w.WriteHeader(http.StatusBadGateway)
			_, _ = w.Write([]byte(`{"error":"upstream ` + req.Header.Get("X-Reprise-Delivery-Id") + ` is down"}`))
		})
		id := r.plan(50, []*relay.Endpoint{e})
		r.start()
		r.launch(id)
		j := r.becomes(id, relay.ReplayPaused)
		if n := len(r.sink.hits("/a")); n < 26 || n > 100 || !strings.HasPrefix(j.Reason, relay.ReasonBrake) {
			t.Errorf("paused after %d: %s", n, j.Reason)
		}
		r.eventually("what is being sent ends", func() bool {
			open, err := r.store.RunningReplays(t.Context())
			r.must(err)
			return len(open) == 0
		})
		groups, err := r.store.ReplayFailures(t.Context(), r.project, id)
		r.must(err)
		if len(groups) != 1 || groups[0].Count != r.job(id).Progress.Failed || groups[0].FirstID.IsZero() {
			t.Errorf("failures %+v", groups)
		}
		healthy.Store(true)
		_, err = r.store.ResumeReplay(t.Context(), r.project, id, tester)
		r.must(err)
		_, err = r.store.SetReplayRate(t.Context(), r.project, id, 1000, tester)
		r.must(err)
		j = r.becomes(id, relay.ReplayCompleted)
		again, err := r.store.PlanFailed(t.Context(), r.project, id, false, tester)
		r.must(err)
		if again.Plan.Pairs != j.Progress.Failed {
			t.Errorf("planned %d again, %d failed", again.Plan.Pairs, j.Progress.Failed)
		}
		r.launch(again.ID)
		r.becomes(again.ID, relay.ReplayCompleted)
		dead, err := r.store.DeadLetterGroups(t.Context(), r.project)
		r.must(err)
		if len(dead) != 0 {
			t.Errorf("dead letters %+v", dead)
		}
	})
}

func TestReplayJobCanary(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		a, b := r.endpoint("/a"), r.endpoint("/b")
		events := r.receive(20)
		id := r.plan(500, []*relay.Endpoint{a, b}, func(j *relay.ReplayJob) { j.Canary = 5 })
		r.start()
		r.launch(id)
		j := r.becomes(id, relay.ReplayPaused)
		if n := len(r.sink.hits("")); n != 5 || !strings.HasPrefix(j.Reason, relay.ReasonCanary) {
			t.Errorf("%d arrived: %s", n, j.Reason)
		}
		_, err := r.store.ResumeReplay(t.Context(), r.project, id, tester)
		r.must(err)
		r.becomes(id, relay.ReplayCompleted)
		r.arrivedOnce("/a", events)
		r.arrivedOnce("/b", events)
	})
}
