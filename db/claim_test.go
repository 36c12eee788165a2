package db

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/relay"
)

// lined is a reception of which the delivery waits in a lane and is due then.
func (w *world) lined(t *testing.T, e *relay.Endpoint, lane relay.Lane, due time.Time) relay.ID {
	t.Helper()
	in := w.reception(e)
	in.Deliveries[0].Lane, in.Deliveries[0].NextAttemptAt = lane, due
	_, err := w.Receive(t.Context(), in)
	check(t, err)
	return in.Deliveries[0].ID
}

func idsOf(claims []engine.Claim) []relay.ID {
	var ids []relay.ID
	for _, c := range claims {
		ids = append(ids, c.DeliveryID)
	}
	return ids
}

func TestClaimOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, b := w.addEndpoint(t), w.addEndpoint(t)
		now := w.Now()
		late := w.lined(t, a, relay.LaneLive, now.Add(-time.Second))
		early := w.lined(t, a, relay.LaneLive, now.Add(-time.Minute))
		retry := w.lined(t, a, relay.LaneRetry, now.Add(-time.Hour))
		replay := w.lined(t, a, relay.LaneReplay, now.Add(-2*time.Hour))
		other := w.lined(t, b, relay.LaneLive, now)
		w.lined(t, a, relay.LaneLive, now.Add(time.Hour)) // not due
		claim := func(limit int, lanes ...relay.Lane) []relay.ID {
			t.Helper()
			claims, _, err := w.Claim(t.Context(), engine.Lease{Owner: 1, Until: w.Now().Add(time.Minute)}, engine.ClaimRequest{EndpointID: a.ID, Limit: limit, Lanes: lanes})
			check(t, err)
			return idsOf(claims)
		}
		if got := claim(1, relay.LaneReplay, relay.LaneLive); !slices.Equal(got, []relay.ID{replay}) {
			t.Errorf("replays first: %v", got)
		}
		if got := claim(10); len(got) != 0 {
			t.Errorf("no lane: %v", got)
		}
		if got := claim(3, everyLane...); !slices.Equal(got, []relay.ID{early, late, retry}) {
			t.Errorf("got %v, want %v", got, []relay.ID{early, late, retry})
		}
		if got := claim(10, everyLane...); len(got) != 0 {
			t.Errorf("claimed twice: %v", got)
		}
		if got := idsOf(claimFrom(t, w.Store, 5, a, b)); !slices.Equal(got, []relay.ID{other}) {
			t.Errorf("the other endpoint: %v", got)
		}
	})
}

func TestClaimTellsAll(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		in := w.receive(t, e)
		until := w.Now().Add(time.Minute)
		claims, _, err := w.Claim(t.Context(), engine.Lease{Owner: 9, Until: until}, engine.ClaimRequest{EndpointID: e.ID, Limit: 5, Lanes: everyLane})
		check(t, err)
		d := in.Deliveries[0]
		want := engine.Claim{DeliveryID: d.ID, Fence: 1, ProjectID: w.project, EventID: in.Event.ID, EndpointID: e.ID, SourceID: w.source.ID,
			EventType: "invoice.paid", Status: relay.DeliveryPending, Trigger: relay.TriggerIngest, CreatedAt: d.CreatedAt}
		if len(claims) != 1 || claims[0] != want {
			t.Errorf("got %+v, want %+v", claims, want)
		}
		got := w.delivery(t, d.ID)
		if !got.InFlight || got.Status != relay.DeliveryPending || !got.NextAttemptAt.IsZero() {
			t.Errorf("claimed: %+v", got)
		}
		record(t, w.Store, outcome(w.Store, claims[0], relay.DeliveryRetrying))
		w.clock.advance(time.Minute)
		again := claimFrom(t, w.Store, 5, e)
		if len(again) != 1 || again[0].Fence != 2 || again[0].Attempts != 1 || again[0].Lane != relay.LaneRetry {
			t.Errorf("claimed again: %+v", again)
		}
	})
}

func TestClaimersNeverShare(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, b := w.addEndpoint(t), w.addEndpoint(t)
		const each = 300
		var wait sync.WaitGroup
		for range each {
			wait.Go(func() { w.receive(t, a, b) })
		}
		wait.Wait()
		stores := []*Store{w.Store, w.Store}
		if w.PG {
			stores[1] = w.beside(t)
		}
		var mu sync.Mutex
		seen := map[relay.ID]int{}
		for i := range 8 {
			wait.Go(func() {
				for {
					claims := claimFrom(t, stores[i%2], 7, a, b)
					mu.Lock()
					for _, c := range claims {
						seen[c.DeliveryID]++
					}
					done := len(seen) == 2*each
					mu.Unlock()
					if done {
						return
					}
				}
			})
		}
		wait.Wait()
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s was claimed %d times", id, n)
			}
		}
	})
}

func TestClaimBoundsLeasesOverProcesses(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		if !w.PG {
			return // on SQLite the one process counts by itself
		}
		e := w.addEndpoint(t)
		for range 30 {
			w.receive(t, e)
		}
		stores := []*Store{w.Store, w.beside(t)}
		claim := func(s *Store) {
			_, _, err := s.Claim(t.Context(), engine.Lease{Owner: 1, Until: w.Now().Add(time.Minute)},
				engine.ClaimRequest{EndpointID: e.ID, Limit: 3, Lanes: everyLane, MaxLeased: 10})
			if err != nil {
				t.Error(err)
			}
		}
		var wait sync.WaitGroup
		for i := range 20 {
			wait.Go(func() { claim(stores[i%2]) })
		}
		wait.Wait()
		for range 5 {
			claim(w.Store)
		}
		equal(t, "leased", number(t, w.Store, "SELECT count(*) FROM deliveries WHERE lease_until IS NOT NULL"), 10)
	})
}

func TestClaimersDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.Postgres(t))
	e := w.addEndpoint(t)
	held, free := w.receive(t, e).Deliveries[0].ID, w.receive(t, e).Deliveries[0].ID
	check(t, w.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		if _, err := w.LockDelivery(ctx, tx, w.project, held); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		claims, _, err := w.Claim(ctx, engine.Lease{Owner: 1, Until: w.Now().Add(time.Minute)}, engine.ClaimRequest{EndpointID: e.ID, Limit: 2, Lanes: everyLane})
		if got := idsOf(claims); !slices.Equal(got, []relay.ID{free}) {
			t.Errorf("claimed %v, want %v", got, free)
		}
		return err
	}))
}

func TestDueEndpoints(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		none, err := w.DueEndpoints(t.Context())
		check(t, err)
		equal(t, "due in an empty database", len(none), 0)
		a, b, idle := w.addEndpoint(t), w.addEndpoint(t), w.addEndpoint(t)
		now := w.Now()
		w.lined(t, a, relay.LaneLive, now.Add(time.Hour))
		w.lined(t, a, relay.LaneLive, now.Add(time.Minute))
		w.lined(t, a, relay.LaneReplay, now)
		w.lined(t, b, relay.LaneRetry, now)
		w.lined(t, idle, relay.LaneLive, now)
		claimFrom(t, w.Store, 1, idle)
		got, err := w.DueEndpoints(t.Context())
		check(t, err)
		want := map[engine.DueEndpoint]bool{{EndpointID: a.ID, Lane: relay.LaneLive, DueAt: now.Add(time.Minute)}: true, {EndpointID: a.ID, Lane: relay.LaneReplay, DueAt: now}: true,
			{EndpointID: b.ID, Lane: relay.LaneRetry, DueAt: now}: true}
		for _, d := range got {
			if !want[d] {
				t.Errorf("unexpected %+v", d)
			}
			delete(want, d)
		}
		if len(want) > 0 {
			t.Errorf("missing %+v", want)
		}
	})
}
