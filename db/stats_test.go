package db

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/relay"
)

func TestStats(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, b := w.addEndpoint(t), w.addEndpoint(t)
		from := w.Now()
		var wait sync.WaitGroup
		for range 100 {
			wait.Go(func() { w.receive(t, a, b) })
		}
		wait.Wait()
		rejected := w.reception()
		rejected.Event.Status, rejected.Event.SignatureValid = relay.EventRejected, false
		_, err := w.Receive(t.Context(), rejected)
		check(t, err)
		for range 3 {
			_, err := w.Receive(t.Context(), w.keyed("k", a))
			check(t, err)
		}
		for i, c := range claimFrom(t, w.Store, 100, a) {
			r := outcome(w.Store, c, relay.DeliveryDelivered)
			r.Attempt.Duration = time.Duration(i+1) * time.Millisecond
			record(t, w.Store, r)
		}
		w.clock.advance(3 * time.Minute)
		for i, c := range claimFrom(t, w.Store, 10, b) {
			status := relay.DeliveryRetrying
			if i < 4 {
				status = relay.DeliveryDLQ
			}
			r := outcome(w.Store, c, status)
			r.Attempt.Duration = 2 * time.Second
			record(t, w.Store, r)
		}
		q := engine.StatsQuery{ProjectID: w.project, From: from.Add(-time.Minute), To: w.Now().Add(time.Minute), Step: time.Minute}
		look := func(when string) {
			t.Helper()
			s, err := w.Stats(t.Context(), q)
			check(t, err)
			want := engine.Series{Events: 104, Rejected: 1, Duplicates: 2, Succeeded: 100, Failed: 10, Dead: 4}
			equal(t, when, untimed(s.Total), want)
			equal(t, when+": source", s.ByRef[w.source.ID], engine.Series{Events: 104, Rejected: 1, Duplicates: 2})
			equal(t, when+": endpoint", untimed(s.ByRef[b.ID]), engine.Series{Failed: 10, Dead: 4})
			var sum engine.Series
			for _, one := range s.Course {
				sum.Events += one.Events
				sum.Failed += one.Failed
			}
			equal(t, when+": course", sum, engine.Series{Events: 104, Failed: 10})
			if s.Total.P50 < 55*time.Millisecond || s.Total.P50 > 55*3*time.Millisecond/2 {
				t.Errorf("%s: P50 of 55 ms is %v", when, s.Total.P50)
			}
			if s.Total.P95 < 2*time.Second || s.Total.P95 > 3*time.Second {
				t.Errorf("%s: P95 of 2 s is %v", when, s.Total.P95)
			}
			if p := s.ByRef[a.ID].P95; p < 95*time.Millisecond || p > 150*time.Millisecond {
				t.Errorf("%s: P95 of 95 ms is %v", when, p)
			}
		}
		look("by minutes")
		one := q
		one.Ref = b.ID
		s, err := w.Stats(t.Context(), one)
		check(t, err)
		equal(t, "of one endpoint", untimed(s.Total), engine.Series{Failed: 10, Dead: 4})
		other := q
		other.ProjectID = w.addProject(t)
		s, err = w.Stats(t.Context(), other)
		check(t, err)
		equal(t, "of another project", s.Total, engine.Series{})

		minutes := number(t, w.Store, "SELECT count(*) FROM stats")
		prune(t, w)
		equal(t, "minutes kept", number(t, w.Store, "SELECT count(*) FROM stats"), minutes)
		w.clock.advance(51 * time.Hour)
		prune(t, w)
		prune(t, w)
		equal(t, "minutes left", number(t, w.Store, "SELECT count(*) FROM stats WHERE minute % 60 <> 0"), 0)
		q.From = q.From.Truncate(time.Hour)
		look("by hours")
	})
}

// untimed leaves out the latencies, which are compared by range.
func untimed(s engine.Series) engine.Series {
	s.P50, s.P95 = 0, 0
	return s
}

func TestLatencyBuckets(t *testing.T) {
	t.Parallel()
	for d := time.Duration(0); d < 100*time.Second; d = d*5/4 + 1000 {
		i := engine.LatencyBucket(d)
		if d >= engine.LatencyBound(i) && i < engine.LatencyBuckets-1 || i > 0 && d < engine.LatencyBound(i-1) {
			t.Errorf("%v is in bucket %d below %v", d, i, engine.LatencyBound(i))
		}
	}
	if end := engine.LatencyBound(engine.LatencyBuckets - 1); end < time.Minute {
		t.Errorf("the last bucket ends at %v", end)
	}
}

func TestOverview(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, b := w.addEndpoint(t), w.addEndpoint(t)
		quiet := w.addSource(t, w.project)
		for range 6 {
			w.receive(t, a, b)
		}
		last := w.receive(t, b).Event
		claims := claimFrom(t, w.Store, 4, a)
		record(t, w.Store, outcome(w.Store, claims[0], relay.DeliveryDLQ))
		record(t, w.Store, outcome(w.Store, claims[1], relay.DeliveryRetrying))
		record(t, w.Store, outcome(w.Store, claims[2], relay.DeliveryDelivered))
		waiting, err := w.WaitingByEndpoint(t.Context(), w.project)
		check(t, err)
		if len(waiting) != 2 || waiting[a.ID] != 3 || waiting[b.ID] != 7 {
			t.Errorf("waiting: %v", waiting)
		}
		dead, err := w.DeadByEndpoint(t.Context(), w.project)
		check(t, err)
		if len(dead) != 1 || dead[a.ID] != 1 {
			t.Errorf("dead: %v", dead)
		}
		times, err := w.LastEventBySource(t.Context(), w.project)
		check(t, err)
		if _, ok := times[quiet.ID]; ok || len(times) != 1 || !times[w.source.ID].Equal(last.ReceivedAt) {
			t.Errorf("last events: %v, want %v", times, last.ReceivedAt)
		}
	})
}

func TestRejectedEventsAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		good := w.receive(t, w.addEndpoint(t)).Event.ID
		other := w.addSource(t, w.project)
		reject := func(n int, source relay.ID) (last relay.ID) {
			var wait sync.WaitGroup
			for range n {
				in := w.reception()
				in.Event.SourceID, in.Event.Status, in.Event.SignatureValid = source, relay.EventRejected, false
				wait.Go(func() {
					if _, err := w.Receive(t.Context(), in); err != nil {
						t.Error(err)
					}
				})
				last = in.Event.ID
			}
			wait.Wait()
			return last
		}
		reject(10, other.ID)
		oldest := reject(1, w.source.ID)
		newest := reject(engine.RejectedKept+engine.RejectedRows+40, w.source.ID)
		eventually(t, "the oldest are deleted", func() bool {
			return number(t, w.Store, "SELECT count(*) FROM events WHERE source_id = ? AND status = 'rejected'", w.source.ID) == engine.RejectedKept
		})
		_, err := w.Event(t.Context(), w.project, oldest)
		wantKind(t, err, relay.KindNotFound)
		w.event(t, newest)
		w.event(t, good)
		eventually(t, "their payloads too", func() bool {
			return number(t, w.Store, "SELECT count(*) FROM payloads") == engine.RejectedKept+11
		})
		equal(t, "rejected events of the other source", number(t, w.Store, "SELECT count(*) FROM events WHERE source_id = ?", other.ID), 10)
	})
}

func TestPruneDedupKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		for _, key := range []string{"a", "b"} {
			_, err := w.Receive(t.Context(), w.keyed(key, e))
			check(t, err)
			w.clock.advance(20 * time.Hour)
		}
		_, err := w.BeginIdempotent(t.Context(), relay.ID{}, "k", []byte("h"))
		check(t, err)
		prune(t, w)
		equal(t, "dedup keys", number(t, w.Store, "SELECT count(*) FROM dedup_keys"), 1)
		w.clock.advance(25 * time.Hour)
		prune(t, w)
		equal(t, "dedup keys", number(t, w.Store, "SELECT count(*) FROM dedup_keys"), 0)
		equal(t, "idempotency keys", number(t, w.Store, "SELECT count(*) FROM idempotency_keys"), 0)
	})
}

// TestListsOfEndpointsAskOnce: a list asked twice for each of its rows.
func TestListsOfEndpointsAskOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		var ids []relay.ID
		for range 30 {
			e := w.addEndpoint(t)
			ids = append(ids, e.ID)
			w.receive(t, e)
		}
		e := w.addEndpoint(t)
		for _, c := range claimFrom(t, w.Store, 1, w.mustEndpoint(t, ids[0])) {
			record(t, w.Store, outcome(w.Store, c, relay.DeliveryDelivered))
		}
		watched, log := w.seen()
		q := engine.StatsQuery{ProjectID: w.project, From: w.Now().Add(-time.Hour), To: w.Now(), Step: time.Hour}
		stats, err := watched.StatsByRef(t.Context(), q, append(ids, e.ID))
		check(t, err)
		newest, err := watched.NewestByEndpoint(t.Context(), w.project)
		check(t, err)
		equal(t, "queries", len(log.queries), 2)
		equal(t, "deliveries of one", stats[ids[0]].Total.Succeeded, 1)
		equal(t, "deliveries of another", stats[ids[1]].Total.Succeeded, 0)
		equal(t, "steps of one with nothing", len(stats[e.ID].Course), len(stats[ids[0]].Course))
		equal(t, "endpoints with deliveries", len(newest), 30)
		q.Ref = ids[0]
		alone, err := w.Stats(t.Context(), q)
		check(t, err)
		if diff := cmp.Diff(alone, stats[ids[0]]); diff != "" {
			t.Error(diff)
		}
	})
}

func (w *world) mustEndpoint(t *testing.T, id relay.ID) *relay.Endpoint {
	t.Helper()
	e, err := w.Endpoint(w.project, id)
	check(t, err)
	return e
}
