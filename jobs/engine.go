package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// EngineOptions configures an Engine.
type EngineOptions struct {
	Store *db.Store
	Redis redis.UniversalClient
	Wake  *Wake
	Send  *Sender
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

// Engine brings deliveries from the database to their endpoints: it claims
// what is due, passes it through asynq, sends it and records what came of it.
type Engine struct {
	EngineOptions
	owner    int64
	client   *asynq.Client
	server   *asynq.Server
	held     *held
	taken    *handover
	paces    *paces
	payloads *payloads
	rates    *Window
	slots    chan struct{} // one for each delivery being sent
	replays  chan struct{} // the same for replays, half as many
	alone    chan struct{} // for what may have killed a process
	spread   spread        // of replays over time
	nudged   chan struct{}
	hints    hints
	redisOK  atomic.Bool
	epoch    string // of Redis, see readEpoch

	sending sync.WaitGroup
	gate    sync.RWMutex // nothing joins sending once accept has ended
	loops   sync.WaitGroup
	stop    context.CancelFunc
	accept  context.Context // ends when nothing more may begin
	refuse  context.CancelFunc
	abort   context.Context // ends when requests under way must end
	halt    context.CancelFunc
}

// The queues of asynq. Weights only matter when both have work.
const (
	queueLive        = "live"
	queueReplay      = "replay"
	queueMaintenance = "maintenance"
)

// windowOf is how many claimed deliveries may wait or be under way: enough to
// keep the senders busy while the next are claimed, few enough to be given
// back quickly.
func windowOf(concurrency int) int { return min(8*concurrency, 1000) }

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
		client:        asynq.NewClientFromRedisClient(o.Redis),
		held:          newHeld(),
		taken:         newHandover(),
		paces:         newPaces(o.Concurrency),
		payloads:      newPayloads(payloadBytes),
		rates:         &Window{o.Redis},
		slots:         make(chan struct{}, o.Concurrency),
		replays:       make(chan struct{}, max(o.Concurrency/2, 1)),
		alone:         make(chan struct{}, 1),
		nudged:        make(chan struct{}, 1),
	}
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
	window := windowOf(e.Concurrency)
	asking, err := hooked(e.Redis, e.Wake.Hook())
	if err != nil {
		return err
	}
	e.server = asynq.NewServerFromRedisClient(asking, asynq.Config{
		Concurrency:              window,
		Queues:                   map[string]int{queueLive: 8, queueReplay: 2, queueMaintenance: 1},
		TaskCheckInterval:        CheckInterval,
		DelayedTaskCheckInterval: time.Minute,
		ShutdownTimeout:          2 * time.Second,
		Logger:                   &asynqLog{log: e.Log},
		LogLevel:                 asynq.WarnLevel,
		BaseContext:              func() context.Context { return e.abort },
	})
	if err := e.server.Start(asynq.HandlerFunc(e.process)); err != nil {
		return err
	}
	if e.epoch, err = e.readEpoch(ctx); err != nil {
		e.redisOK.Store(false)
		e.Log.Warn("Redis cannot be used; deliveries wait", "error", err)
	}
	loops, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	e.loops.Go(func() { e.dispatch(loops) })
	e.loops.Go(func() { e.queueTaken(loops) })
	e.loops.Go(func() { e.reconcile(loops) })
	e.loops.Go(func() { e.replay(loops) })
	e.loops.Go(func() { e.retention(loops) })
	e.loops.Go(func() { e.sealHeaders(loops) })
	e.loops.Go(func() { e.watchRedis(loops) })
	e.loops.Go(func() { e.Wake.Subscribe(loops, func() { e.hints.all.Store(true); e.poke() }) })
	return nil
}

// hooked is the same client, connections included, with a hook of its own.
func hooked(client redis.UniversalClient, hook redis.Hook) (redis.UniversalClient, error) {
	plain, ok := client.(*redis.Client)
	if !ok {
		return nil, fmt.Errorf("jobs: %T is not a client of a single Redis", client)
	}
	asking := plain.WithTimeout(enqueueTime)
	asking.AddHook(hook)
	return asking, nil
}

// Stop ends the work: no more claims, what is being sent may finish within
// grace, what was claimed and not begun is given back.
func (e *Engine) Stop(grace time.Duration) {
	if e.stop == nil {
		return
	}
	e.stop()
	e.loops.Wait()
	e.Wake.Close()
	e.server.Stop()
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
		e.Log.Warn("deliveries under way are cut off", "count", len(e.slots))
		e.halt()
		<-finished
	}
	e.server.Shutdown()
	e.halt()
	_ = e.client.Close()
}

func (e *Engine) giveBack() {
	refs := e.held.drain()
	if len(refs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := e.Store.Release(ctx, e.Now(), refs); err != nil {
		e.Log.Warn("claims could not be given back; they lapse", "count", len(refs), "error", err)
	}
}

// poke wakes the dispatcher without waiting for it.
func (e *Engine) poke() {
	select {
	case e.nudged <- struct{}{}:
	default:
	}
}

// hints tell the dispatcher where due work may be, so that it need not look
// everywhere.
type hints struct {
	mu        sync.Mutex
	endpoints map[relay.ID]struct{}
	all       atomic.Bool
}

func (h *hints) add(ids ...relay.ID) {
	h.mu.Lock()
	if h.endpoints == nil {
		h.endpoints = map[relay.ID]struct{}{}
	}
	for _, id := range ids {
		h.endpoints[id] = struct{}{}
	}
	h.mu.Unlock()
}

func (h *hints) take() map[relay.ID]struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	ids := h.endpoints
	h.endpoints = nil
	return ids
}

// watchRedis notices when Redis went away or came back empty, and then queues
// again what was claimed and not begun.
func (e *Engine) watchRedis(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		seen, err := e.readEpoch(ctx)
		was := e.redisOK.Load()
		e.redisOK.Store(err == nil)
		if err != nil {
			if was && ctx.Err() == nil {
				e.Log.Warn("Redis cannot be used; deliveries wait", "error", err)
			}
			continue
		}
		if !was {
			e.Log.Info("Redis can be used again")
		}
		if !was || seen != e.epoch {
			e.requeue(ctx)
			e.hints.all.Store(true)
			e.poke()
		}
		e.epoch = seen
	}
}

// readEpoch reads the mark that an emptied Redis has lost, and sets a new one
// if there is none.
func (e *Engine) readEpoch(ctx context.Context) (string, error) {
	const key = keyPrefix + "epoch"
	if e.Wake.client != nil { // the embedded one makes an interpreter for each script
		if err := probe(ctx, e.Redis); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	seen, err := e.Redis.Get(ctx, key).Result()
	if !errors.Is(err, redis.Nil) {
		return seen, err
	}
	if err := e.Redis.SetNX(ctx, key, relay.NewID().Hex(), 0).Err(); err != nil {
		return "", err
	}
	return e.Redis.Get(ctx, key).Result()
}

// asynqLog passes asynq's warnings on, at most one a second.
type asynqLog struct {
	log  *slog.Logger
	last atomic.Int64
}

func (l *asynqLog) say(level slog.Level, args []any) {
	now := time.Now().Unix()
	if len(args) == 0 || l.last.Swap(now) == now {
		return
	}
	l.log.Log(context.Background(), level, "asynq", "message", args[0])
}

func (l *asynqLog) Debug(...any)      {}
func (l *asynqLog) Info(...any)       {}
func (l *asynqLog) Warn(args ...any)  { l.say(slog.LevelWarn, args) }
func (l *asynqLog) Error(args ...any) { l.say(slog.LevelError, args) }
func (l *asynqLog) Fatal(args ...any) { l.say(slog.LevelError, args) }
