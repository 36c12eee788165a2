package jobs

import (
	"testing"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// TestPlansThatTakeLongAreMadeByWorkers: whoever was asked for a plan has gone
// before it was made.
func TestPlansThatTakeLongAreMadeByWorkers(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		a := r.endpoint("/a")
		events := r.receive(20)
		asked, err := db.Open(t.Context(), db.Options{URL: r.url, Key: make([]byte, 32), Now: r.clock.Now, PlanAtOnce: -1})
		r.must(err)
		plan := relay.ReplayJob{ProjectID: r.project, EndpointIDs: []relay.ID{a.ID}, RateLimit: 500}
		starts := plan
		starts.Starts = true
		r.must(asked.PlanReplay(t.Context(), &plan, tester))
		r.must(asked.PlanReplay(t.Context(), &starts, tester))
		r.must(asked.Close())
		if got := r.job(plan.ID).Status; got != relay.ReplayPlanning {
			t.Fatalf("it is %s before anybody works", got)
		}
		r.start()
		r.becomes(plan.ID, relay.ReplayPlanned)
		r.becomes(starts.ID, relay.ReplayCompleted)
		r.arrivedOnce("/a", events)
	})
}
