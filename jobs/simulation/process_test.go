package simulation

import (
	"context"
	"database/sql/driver"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/jobs"
	"github.com/reprise-dev/reprise/relay"
)

// process is one process of Reprise: web and worker, or only web.
type process struct {
	world  *world
	name   string
	store  *db.Store
	tasks  *tasks
	front  *jobs.Client
	engine *jobs.Engine // nil: it only receives
	died   chan struct{}
	gone   atomic.Bool // it is killed
	ended  sync.WaitGroup
	tell   context.CancelFunc

	mu      sync.Mutex
	stopped chan struct{} // closed when it runs again; nil: it runs
}

// alive is an error if the process is dead.
func (p *process) alive() error {
	if p.gone.Load() {
		return errDead
	}
	return nil
}

// reach is an error if the process is dead or cannot reach the database now. While
// it is stopped it waits, and now and then it is slow.
func (p *process) reach(ctx context.Context) error {
	p.world.delay()
	if err := p.runs(ctx); err != nil {
		return err
	}
	if p.world.noDatabase.Load() {
		return driver.ErrBadConn
	}
	return nil
}

// runs waits while the process is stopped. It is an error if it is dead then.
func (p *process) runs(ctx context.Context) error {
	p.mu.Lock()
	stopped := p.stopped
	p.mu.Unlock()
	if stopped != nil {
		select {
		case <-stopped:
		case <-p.died:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return p.alive()
}

// startProcess starts one that does what serve does, or what web does.
func (w *world) startProcess(name string, works bool) (p *process, err error) {
	p = &process{world: w, name: name, died: make(chan struct{})}
	ctx := context.Background()
	p.store, err = db.Open(ctx, db.Options{
		URL: "sqlite://" + w.file, Key: make([]byte, 32), PlanAtOnce: w.planAtOnce, Log: w.log(name),
		SQLite: func(name string) driver.Connector { return disk{p, name} },
	})
	if err != nil {
		return nil, err
	}
	p.tasks = newTasks(p)
	p.front = jobs.NewClient(p.store, nil, false, p.tasks)
	if works {
		p.engine = jobs.NewEngine(jobs.EngineOptions{
			Store: p.store, Tasks: p.tasks, Send: p, Concurrency: 8, RetryScale: 0.02, Host: name, Log: w.log(name),
		})
		if err := p.engine.Start(ctx); err != nil {
			return nil, errors.Join(err, p.store.Close())
		}
		p.front.Engine = p.engine
	} else {
		telling, stop := context.WithCancel(ctx)
		p.tell = stop
		p.ended.Go(func() { p.front.Tell(telling) })
	}
	p.store.OnReplay(p.front.ReplayChanged)
	return p, nil
}

// kill ends it from one statement to the next. What is left of it in this program
// is cleared away, and reaches nobody.
func (p *process) kill() {
	p.gone.Store(true)
	close(p.died)
	p.ended.Go(func() { p.stop(0) })
}

// stop ends it in order.
func (p *process) stop(grace time.Duration) {
	if p.engine != nil {
		p.engine.Stop(grace)
	} else {
		p.tell()
	}
	_ = p.store.Close()
}

// pause is SIGSTOP, as far as anybody outside can tell; the answer is SIGCONT.
func (p *process) pause() (goOn func()) {
	stopped := make(chan struct{})
	p.mu.Lock()
	p.stopped = stopped
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		p.stopped = nil
		p.mu.Unlock()
		close(stopped)
	}
}

func (p *process) isStopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped != nil
}

// receive takes one event in, as handlers do.
func (p *process) receive() {
	now, w := p.store.Now(), p.world
	ev := relay.Event{ID: relay.NewIDAt(now), ProjectID: w.project, SourceID: w.source, EventType: "test", Status: relay.EventForwarding,
		SignatureValid: true, Verdict: relay.VerdictUnverified, ContentType: "application/json", Size: 2, ReceivedAt: now}
	payload := relay.Payload{Method: "POST", Body: []byte("{}")}
	var deliveries []relay.Delivery
	to := map[relay.ID]bool{}
	for _, e := range p.store.Config().EndpointsOf(w.project) {
		to[e.ID] = true
		deliveries = append(deliveries, relay.Delivery{ID: relay.NewIDAt(now), ProjectID: w.project, EventID: ev.ID, EndpointID: e.ID, SourceID: w.source,
			EventType: ev.EventType, Status: relay.DeliveryPending, NextAttemptAt: now, Trigger: relay.TriggerIngest, CreatedAt: now})
	}
	lease := p.front.Take(deliveries)
	stored, err := p.store.Receive(context.Background(), db.Reception{Event: ev, Payload: payload, Deliveries: deliveries, Lease: lease})
	if err != nil {
		p.front.Dropped(deliveries)
		return
	}
	p.front.Received(&stored, &payload, deliveries, lease)
	w.mu.Lock()
	w.accepted[ev.ID] = to
	w.mu.Unlock()
}

// log writes what a process says into the story.
func (w *world) log(process string) *slog.Logger {
	return slog.New(slog.NewTextHandler(&w.story, &slog.HandlerOptions{
		Level: slog.LevelWarn,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				a.Value = slog.DurationValue(a.Value.Time().Sub(w.began))
			}
			return a
		},
	})).With("process", process)
}
