package db

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/replays"
	"github.com/reprise-dev/reprise/relay"
)

// job is a replay job of the world's project with the usual choices.
func (w *world) job(change ...func(*relay.ReplayJob)) *relay.ReplayJob {
	j := &relay.ReplayJob{ProjectID: w.project, RateLimit: 50, Brake: relay.DefaultReplayBrake}
	for _, c := range change {
		c(j)
	}
	return j
}

func to(endpoints ...*relay.Endpoint) func(*relay.ReplayJob) {
	return func(j *relay.ReplayJob) {
		for _, e := range endpoints {
			j.EndpointIDs = append(j.EndpointIDs, e.ID)
		}
	}
}

func (w *world) planJob(t testing.TB, change ...func(*relay.ReplayJob)) *relay.ReplayJob {
	t.Helper()
	j := w.job(change...)
	check(t, w.PlanReplay(t.Context(), j, system))
	return w.finishPlan(t, j)
}

// finishPlan waits until a job is planned.
func (w *world) finishPlan(t testing.TB, j *relay.ReplayJob) *relay.ReplayJob {
	t.Helper()
	if j.Status == relay.ReplayPlanning {
		_, err := w.ContinuePlan(t.Context(), j.ID, func() bool { return false })
		check(t, err)
		is, err := w.Replay(t.Context(), j.ProjectID, j.ID)
		check(t, err)
		return &is
	}
	return j
}

// drain makes all deliveries of a job, n at a time, and delivers them.
func (w *world) drain(t testing.TB, id relay.ID, n int, endpoints ...*relay.Endpoint) {
	t.Helper()
	for range 10_000 {
		step, err := w.WalkReplay(id).Next(t.Context(), n)
		check(t, err)
		for _, c := range claimFrom(t, w.Store, 500, endpoints...) {
			record(t, w.Store, outcome(w.Store, c, relay.DeliveryDelivered))
		}
		if step.Drained || step.Stopped {
			return
		}
	}
	t.Fatal("the job has no end")
}

// typed is an event of a type, without deliveries.
func (w *world) typed(t testing.TB, typ string, change ...func(*engine.Reception)) relay.ID {
	t.Helper()
	in := w.reception()
	in.Event.EventType = typ
	for _, c := range change {
		c(&in)
	}
	got, err := w.Receive(t.Context(), in)
	check(t, err)
	return got.ID
}

func TestPlanIsWhatRuns(t *testing.T) {
	for name, age := range map[string]time.Duration{"settled": time.Hour, "fresh": 0, "both": replays.SettleTime - 20*time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				all, some := w.addEndpoint(t), w.addEndpoint(t, func(e *relay.Endpoint) { e.EventFilter = []string{"invoice.*"} })
				var ids []relay.ID
				for i := range 30 {
					ids = append(ids, w.typed(t, []string{"invoice.paid", "customer.created"}[i%2]))
				}
				w.typed(t, "invoice.paid", func(r *engine.Reception) {
					r.Event.Status, r.Event.SignatureValid, r.Event.Verdict = relay.EventRejected, false, relay.VerdictBadSignature
				})
				w.typed(t, "invoice.paid", func(r *engine.Reception) { r.Event.IsTest = true })
				w.clock.advance(age)
				j := w.planJob(t)
				p := j.Plan
				equal(t, "events", p.Events, 30)
				equal(t, "pairs", p.Pairs, 45)
				equal(t, "deliveries", p.Deliveries, 45)
				equal(t, "types", len(p.ByType), 2)
				equal(t, "destinations", len(p.ByEndpoint), 2)
				equal(t, "first destination", p.ByEndpoint[0].EndpointID, all.ID)
				equal(t, "its pairs", p.ByEndpoint[0].Pairs, 30)
				equal(t, "other pairs", p.ByEndpoint[1].Pairs, 15)
				equal(t, "oldest", p.Oldest, w.event(t, ids[0]).ReceivedAt)
				equal(t, "newest", p.Newest, w.event(t, ids[29]).ReceivedAt)
				equal(t, "duration", p.Duration, 900*time.Millisecond)
				if want := []relay.ReplayTally{{Name: "rejected", Count: 1}, {Name: "test", Count: 1}}; !slices.Equal(p.NotReplayable, want) {
					t.Errorf("not replayable: %v", p.NotReplayable)
				}
				late := w.typed(t, "invoice.paid")
				third := w.addEndpoint(t)
				_, err := w.StartReplay(t.Context(), w.project, j.ID, system)
				check(t, err)
				w.drain(t, j.ID, 7, all, some)
				status, err := w.CheckReplay(t.Context(), j.ID)
				check(t, err)
				equal(t, "status", status, relay.ReplayCompleted)
				done, err := w.Replay(t.Context(), w.project, j.ID)
				check(t, err)
				equal(t, "succeeded", done.Progress.Succeeded, 45)
				equal(t, "processed", done.Progress.Processed, 45)
				equal(t, "of the late event", number(t, w.Store, "SELECT count(*) FROM deliveries WHERE event_id = ?", late), 0)
				equal(t, "to the new endpoint", number(t, w.Store, "SELECT count(*) FROM deliveries WHERE endpoint_id = ?", third.ID), 0)
				equal(t, "event", w.event(t, ids[0]).Status, relay.EventDelivered)
				var order []relay.ID
				check(t, w.R.NewSelect().Table("deliveries").Column("event_id").Where("endpoint_id = ?", all.ID).Order("created_at").Scan(t.Context(), &order))
				if !slices.Equal(order, ids) {
					t.Error("not oldest first")
				}
			})
		})
	}
}

func TestPlanOfAStatusIsFrozen(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		var failed []relay.ID
		for range 5 {
			failed = append(failed, w.receive(t, e).Event.ID)
		}
		for _, c := range claimFrom(t, w.Store, 10, e) {
			record(t, w.Store, outcome(w.Store, c, relay.DeliveryDLQ))
		}
		w.receive(t, e)
		j := w.planJob(t, to(e), func(j *relay.ReplayJob) { j.Selection.Status = relay.EventFailed })
		equal(t, "pairs", j.Plan.Pairs, 5)
		_, err := w.ReplayEvent(t.Context(), w.project, failed[0], nil, system) // forwarding now
		check(t, err)
		for _, c := range claimFrom(t, w.Store, 10, e) {
			record(t, w.Store, outcome(w.Store, c, relay.DeliveryDLQ)) // one more that failed
		}
		_, err = w.StartReplay(t.Context(), w.project, j.ID, system)
		check(t, err)
		w.drain(t, j.ID, 100, e)
		equal(t, "made", number(t, w.Store, "SELECT count(*) FROM deliveries WHERE replay_id = ?", j.ID), 5)
		equal(t, "of each", number(t, w.Store, "SELECT count(DISTINCT event_id) FROM deliveries WHERE replay_id = ?", j.ID), 5)
		equal(t, "event", w.event(t, failed[1]).Status, relay.EventDelivered)
	})
}

func TestSkipDelivered(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		for range 6 {
			w.receive(t, e)
		}
		for i, c := range claimFrom(t, w.Store, 10, e) {
			record(t, w.Store, outcome(w.Store, c, []relay.DeliveryStatus{relay.DeliveryDelivered, relay.DeliveryDLQ}[i%2]))
		}
		w.clock.advance(time.Hour)
		for typ, want := range map[string]int{"invoice.*": 3, "invoice.paid": 3, "*": 3, "invoice.p": 0, "customer.*": 0} {
			j := w.planJob(t, to(e), func(j *relay.ReplayJob) { j.Selection.EventTypes = []string{"nothing", typ} })
			equal(t, "already delivered of "+typ, j.Plan.AlreadyDelivered, want)
		}
		j := w.planJob(t, to(e), func(j *relay.ReplayJob) { j.SkipDelivered = true })
		equal(t, "pairs", j.Plan.Pairs, 6)
		equal(t, "already delivered", j.Plan.AlreadyDelivered, 3)
		equal(t, "deliveries", j.Plan.Deliveries, 3)
		_, err := w.StartReplay(t.Context(), w.project, j.ID, system)
		check(t, err)
		w.drain(t, j.ID, 2, e)
		equal(t, "made", number(t, w.Store, "SELECT count(*) FROM deliveries WHERE replay_id = ?", j.ID), 3)
		equal(t, "not delivered", number(t, w.Store, "SELECT count(*) FROM events WHERE status <> 'delivered'"), 0)
		_, err = w.CheckReplay(t.Context(), j.ID)
		check(t, err)
		done, err := w.Replay(t.Context(), w.project, j.ID)
		check(t, err)
		equal(t, "status", done.Status, relay.ReplayCompleted)
		equal(t, "skipped", done.Progress.Skipped, 3)
		equal(t, "processed", done.Progress.Processed, 6)
	})
}

func TestPlanFaults(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e, disabled := w.addEndpoint(t), w.addEndpoint(t, func(e *relay.Endpoint) { e.Status = relay.EndpointDisabled })
		now := w.Now()
		for field, change := range map[string]func(*relay.ReplayJob){
			"to":                   func(j *relay.ReplayJob) { j.Selection.From, j.Selection.To = now, now },
			"rate_limit":           func(j *relay.ReplayJob) { j.RateLimit = 0 },
			"max_events":           func(j *relay.ReplayJob) { j.MaxEvents = -1 },
			"canary":               func(j *relay.ReplayJob) { j.Canary = -1 },
			"status":               func(j *relay.ReplayJob) { j.Selection.Status = "nonsense" },
			"endpoint_ids":         to(disabled),
			"source_id":            func(j *relay.ReplayJob) { j.Selection.SourceID = relay.NewID() },
			"event_ids":            func(j *relay.ReplayJob) { j.Selection.EventIDs = []relay.ID{relay.NewID()} },
			"delivery_ids":         func(j *relay.ReplayJob) { j.Selection.DeliveryIDs = []relay.ID{relay.NewID()} },
			"delivery_endpoint_id": func(j *relay.ReplayJob) { j.Selection.DeliveryEndpointID = relay.NewID() },
			"q":                    func(j *relay.ReplayJob) { j.Selection.Q, j.Selection.NewestOnly = "x", true },
			"ignore_filter":        func(j *relay.ReplayJob) { j.IgnoreFilter = true },
		} {
			err := w.PlanReplay(t.Context(), w.job(change), system)
			wantKind(t, err, relay.KindValidation)
			var known *relay.Error
			if errors.As(err, &known) && (len(known.Fields) != 1 || known.Fields[0].Field != field) {
				t.Errorf("%s: %v", field, known.Fields)
			}
		}
		for range 3 {
			w.receive(t, e)
		}
		w.clock.advance(time.Minute)
		j := w.planJob(t, to(e), func(j *relay.ReplayJob) { j.MaxEvents = 2 })
		equal(t, "events", j.Plan.Events, 2)
		equal(t, "left out", j.Plan.LeftOut, 1)
		equal(t, "jobs", number(t, w.Store, "SELECT count(*) FROM replays"), 1)
		equal(t, "items", number(t, w.Store, "SELECT count(*) FROM replay_pairs"), 0)
		foreign := w.addProject(t)
		_, err := w.StartReplay(t.Context(), foreign, j.ID, system)
		wantKind(t, err, relay.KindNotFound)
		_, err = w.ResumeReplay(t.Context(), w.project, j.ID, system)
		wantKind(t, err, relay.KindConflict)
	})
}
