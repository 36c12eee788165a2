package jobs

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/jobs/send"
)

// Sender makes requests: package send, or what simulates them.
type Sender interface {
	Send(ctx context.Context, req send.Request) send.Result
}

// EngineOptions configures an Engine.
type EngineOptions struct {
	Store *db.Store
	Tasks Tasks
	Send  Sender
	// Alone says that no other process can be working: leases found at start
	// are those of a dead one.
	Alone bool
	// Concurrency is how many deliveries are sent at the same time; 0: 64.
	Concurrency int
	// RetryScale multiplies every retry delay; 0: 1.
	RetryScale float64
	AuditDays  int    // for how long the audit log is kept; 0: 365
	Host       string // shown in the list of processes
	Now        func() time.Time
	Log        *slog.Logger
}

// Engine brings deliveries from the database to their endpoints. See the
// package's documentation.
type Engine struct {
	EngineOptions
	owner    int64
	hand     *hand
	asked    *asked
	places   *places
	payloads *payloads
	alone    chan struct{} // for what may have killed a process
	looks    chan struct{}
	redisOK  atomic.Bool
	metrics  *metrics
	kinds    map[string]sliced
	deleted  atomic.Bool  // a deleted endpoint has deliveries that are due
	sealed   atomic.Bool  // no headers of an earlier version are left
	started  time.Time    // by this process's clock, which nobody sets
	beat     atomic.Int64 // when this process last said that it lives, since then

	sending sync.WaitGroup
	gate    sync.RWMutex // nothing joins sending once accept has ended
	loops   sync.WaitGroup
	stop    context.CancelFunc
	accept  context.Context // ends when nothing more may begin
	refuse  context.CancelFunc
	abort   context.Context // ends when requests under way must end
	halt    context.CancelFunc
}

// NewEngine makes an engine; Start sets it going.
func NewEngine(o EngineOptions) *Engine {
	if o.Concurrency <= 0 {
		o.Concurrency = 64
	}
	if o.RetryScale <= 0 {
		o.RetryScale = 1
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e := &Engine{
		EngineOptions: o,
		owner:         rand.Int64N(1<<62) + 1,
		hand:          new(hand),
		asked:         newAsked(),
		places:        newPlaces(o.Concurrency),
		payloads:      newPayloads(payloadBytes),
		alone:         make(chan struct{}, 1),
		looks:         make(chan struct{}, 1),
		started:       time.Now(),
		metrics:       newMetrics(),
	}
	e.kinds = e.sliced()
	e.redisOK.Store(true)
	e.abort, e.halt = context.WithCancel(context.Background())
	e.accept, e.refuse = context.WithCancel(e.abort)
	return e
}

// Start reclaims what a dead process left and begins to work. Redis may be
// away; the engine works when it is back.
func (e *Engine) Start(ctx context.Context) error {
	if e.Alone {
		if n, err := e.Store.Reclaim(ctx, true); err != nil {
			return err
		} else if n > 0 {
			e.Log.Info("deliveries of a stopped process are due again", "count", n)
		}
	}
	if err := e.Store.Beat(ctx, e.owner, e.Host, "worker"); err != nil {
		return err
	}
	if err := e.Tasks.Serve(map[string]int{ownQueue(e.owner): 8, queueDeliver: 2}, windowOf(e.Concurrency), e.process); err != nil {
		return err
	}
	if err := e.Tasks.Serve(map[string]int{queueReplay: 3, queueMaintenance: 1}, mostSlices, e.processSlice); err != nil {
		return err
	}
	loops, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	for _, loop := range []func(context.Context){e.heartbeat, e.dispatch, e.reconcile, e.watchRedis, e.watchSenders} {
		e.loops.Go(func() { loop(loops) })
	}
	e.loops.Go(func() { e.asked.run(loops, func(w work) { e.give(loops, w) }) })
	return nil
}

// Stop ends the work: no more claims, what is being sent may finish within
// grace, what was claimed and not begun is given back.
func (e *Engine) Stop(grace time.Duration) {
	if e.stop == nil {
		return
	}
	e.stop()
	e.loops.Wait()
	e.Tasks.Stop()
	e.gate.Lock()
	e.refuse()
	e.gate.Unlock()
	e.giveBack()
	finished := make(chan struct{})
	go func() { e.sending.Wait(); close(finished) }()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-finished:
	case <-timer.C:
		e.Log.Warn("deliveries under way are cut off")
		e.halt()
		<-finished
	}
	e.Tasks.Close()
	e.halt()
	if err := e.Tasks.Drop(context.Background(), ownQueue(e.owner)); err != nil {
		e.Log.Debug("removing the queue of this process", "error", err)
	}
}

// giveBack makes due what is in hand.
func (e *Engine) giveBack() {
	claims := e.hand.drain()
	if len(claims) == 0 {
		return
	}
	refs := make([]db.ClaimRef, len(claims))
	for i, c := range claims {
		refs[i] = db.ClaimRef{DeliveryID: c.DeliveryID, Fence: c.Fence}
		e.places.giveBack(c.EndpointID, false, 1)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := e.Store.Release(ctx, e.Now(), refs); err != nil {
		e.Log.Warn("claims could not be given back; they lapse", "count", len(refs), "error", err)
	}
}

// watchRedis finds out whether Redis can be used.
func (e *Engine) watchRedis(ctx context.Context) {
	every(ctx, 500*time.Millisecond, func() {
		if err := e.Tasks.Check(ctx); err != nil {
			e.lostRedis(err)
		} else if !e.redisOK.Swap(true) {
			e.Log.Info("Redis can be used again")
		}
	})
}

// watchSenders finds endpoints that take their time while they do.
func (e *Engine) watchSenders(ctx context.Context) {
	every(ctx, quick, e.places.look)
}

// lostRedis notes that Redis cannot be used.
func (e *Engine) lostRedis(err error) {
	if e.redisOK.Swap(false) && e.accept.Err() == nil {
		e.Log.Warn("Redis cannot be used; this process works without it", "error", err)
	}
}
