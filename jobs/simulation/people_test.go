package simulation

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// act is something that a person does, through one of the processes.
type act struct {
	name string
	do   func(context.Context, *world, *process) error
}

var acts = []act{
	{"pauses an endpoint", func(ctx context.Context, w *world, p *process) error {
		return w.setStatus(ctx, p, w.oneOf(w.targets).ID, relay.EndpointPaused)
	}},
	{"resumes the endpoints", func(ctx context.Context, w *world, p *process) error { return w.resumeAll(ctx, p) }},
	{"replays everything", func(ctx context.Context, w *world, p *process) error {
		return w.replay(ctx, p, &relay.ReplayJob{SkipDelivered: w.roll(2) == 0})
	}},
	{"replays to one endpoint", func(ctx context.Context, w *world, p *process) error {
		return w.replay(ctx, p, &relay.ReplayJob{EndpointIDs: []relay.ID{w.oneOf(w.targets).ID}})
	}},
	{"replays dead letters", func(ctx context.Context, w *world, p *process) error {
		return w.replay(ctx, p, &relay.ReplayJob{Selection: relay.Selection{DeliveryStatus: relay.DeliveryDLQ}})
	}},
	{"starts a job", onJob(func(ctx context.Context, w *world, p *process, job relay.ID) error {
		_, err := p.store.StartReplay(ctx, w.project, job, tester)
		return err
	})},
	{"pauses a job", onJob(func(ctx context.Context, w *world, p *process, job relay.ID) error {
		_, err := p.store.PauseReplay(ctx, w.project, job, "", tester)
		return err
	})},
	{"resumes a job", onJob(func(ctx context.Context, w *world, p *process, job relay.ID) error {
		_, err := p.store.ResumeReplay(ctx, w.project, job, tester)
		return err
	})},
	{"cancels a job", onJob(func(ctx context.Context, w *world, p *process, job relay.ID) error {
		_, err := p.store.CancelReplay(ctx, w.project, job, tester)
		return err
	})},
	{"retries a delivery", func(ctx context.Context, w *world, p *process) error {
		d, err := p.store.RetryDelivery(ctx, w.project, w.someID("deliveries"), "delivery.retried", tester)
		w.retried[relay.PrefixDelivery.Format(d.ID)] = true
		w.goOn(relay.PrefixDelivery.Format(d.ID))
		return w.nudged(p, err, d.EndpointID)
	}},
	{"replays a delivery", func(ctx context.Context, w *world, p *process) error {
		d, err := p.store.ReplayDelivery(ctx, w.project, w.someID("deliveries"), tester, unlimited)
		return w.nudged(p, err, d.EndpointID)
	}},
	{"replays an event", func(ctx context.Context, w *world, p *process) error {
		to := w.oneOf(w.targets).ID
		_, err := p.store.ReplayEvent(ctx, w.project, w.someID("events"), []relay.ID{to}, tester)
		return w.nudged(p, err, to)
	}},
	{"discards a delivery", func(ctx context.Context, w *world, p *process) error {
		id := w.someID("deliveries")
		_, err := p.store.DiscardDelivery(ctx, w.project, id, "", tester)
		if err == nil {
			w.stop(relay.PrefixDelivery.Format(id))
		}
		return err
	}},
	{"discards the dead letters of an endpoint", func(ctx context.Context, w *world, p *process) error {
		_, err := p.store.DiscardDeadLetters(ctx, w.project, w.oneOf(w.targets).ID, "", "", tester)
		return err
	}},
	{"deletes an endpoint", func(ctx context.Context, w *world, p *process) error {
		if w.roll(5) > 0 {
			return nil
		}
		return p.store.DeleteEndpoint(ctx, w.project, w.oneOf(w.targets).ID, tester)
	}},
}

// unlimited is a budget of replays by hand that nobody exhausts.
func unlimited(context.Context, []relay.ID) (giveBack func(), err error) { return func() {}, nil }

// onJob is an act on some replay job.
func onJob(do func(context.Context, *world, *process, relay.ID) error) func(context.Context, *world, *process) error {
	return func(ctx context.Context, w *world, p *process) error {
		id := w.someID("replays")
		if id.IsZero() {
			return nil
		}
		return do(ctx, w, p, id)
	}
}

// somebody does something, which may be refused.
func (w *world) somebody(p *process) {
	a := w.oneAct()
	err := a.do(context.Background(), w, p)
	told := "somebody " + a.name + " through " + p.name
	if err != nil {
		told += ": " + err.Error()
	}
	w.tell("%s", told)
}

func (w *world) oneAct() act                     { return acts[w.roll(len(acts))] }
func (w *world) oneOf(targets []*target) *target { return targets[w.roll(len(targets))] }

func (w *world) replay(ctx context.Context, p *process, j *relay.ReplayJob) error {
	if w.planned++; w.planned > 2 {
		return nil
	}
	j.ProjectID, j.RateLimit, j.Starts = w.project, 2+w.roll(40), w.roll(3) > 0
	if w.roll(2) == 0 {
		j.Brake = relay.DefaultReplayBrake
	}
	return p.store.PlanReplay(ctx, j, tester)
}

// nudged tells the workers of due deliveries, or does not: then they are found.
func (w *world) nudged(p *process, err error, endpoint relay.ID) error {
	if err == nil && w.roll(2) == 0 {
		p.front.Nudge(endpoint)
	}
	return err
}

func (w *world) setStatus(ctx context.Context, p *process, endpoint relay.ID, status relay.EndpointStatus) error {
	_, err := p.store.UpdateEndpoint(ctx, w.project, endpoint, "endpoint.updated", tester, func(e *relay.Endpoint) error {
		e.Status = status
		return nil
	})
	switch {
	case err == nil && status == relay.EndpointPaused:
		w.stop(relay.PrefixEndpoint.Format(endpoint))
	case status == relay.EndpointActive:
		w.goOn(relay.PrefixEndpoint.Format(endpoint))
	}
	return err
}

// stop notes that nothing is to be sent of a delivery or to an endpoint from now on.
func (w *world) stop(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped[id] = time.Now()
}

func (w *world) goOn(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.stopped, id)
}

func (w *world) resumeAll(ctx context.Context, p *process) error {
	for _, t := range w.targets {
		if err := w.setStatus(ctx, p, t.ID, relay.EndpointActive); err != nil && relay.KindOf(err) != relay.KindNotFound {
			return err
		}
	}
	return nil
}

// someID is the id of some row; zero if there is none.
func (w *world) someID(table string) (id relay.ID) {
	var n int
	w.must(w.sql.QueryRow("SELECT count(*) FROM " + table).Scan(&n))
	if n > 0 {
		w.must(w.sql.QueryRow("SELECT id FROM "+table+" ORDER BY id LIMIT 1 OFFSET ?", w.roll(n)).Scan(&id))
	}
	return id
}

// settle has jobs go on that are planned or paused.
func (w *world) settle(ctx context.Context, p *process) {
	jobs, err := p.store.Replays(ctx, w.project, db.ReplayFilter{}, db.Page{Limit: 100})
	w.must(err)
	for _, j := range jobs.Rows {
		switch j.Status {
		case relay.ReplayPlanned:
			_, err = p.store.StartReplay(ctx, w.project, j.ID, tester)
		case relay.ReplayPaused:
			_, err = p.store.ResumeReplay(ctx, w.project, j.ID, tester)
		default:
			continue
		}
		if relay.KindOf(err) != relay.KindConflict { // it went on by itself meanwhile
			w.must(err)
		}
	}
}
