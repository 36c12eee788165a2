package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

const enqueueTime = 2 * time.Second

// asynqTasks are Tasks in queues of asynq. Each set of queues that is served has a
// doorbell, so that what is idle asks for nothing and begins at once.
type asynqTasks struct {
	redis    redis.UniversalClient
	embedded bool
	client   *asynq.Client
	log      *slog.Logger

	wakes   map[string]*Wake // by the kind of task
	served  sync.Map         // names of queues
	servers []*asynq.Server
	hearing sync.WaitGroup
	stop    []func()
}

// NewTasks carries tasks over Redis; embedded says that nobody else can.
func NewTasks(client redis.UniversalClient, embedded bool, log *slog.Logger) Tasks {
	others := client
	if embedded {
		others = nil
	}
	return &asynqTasks{redis: client, embedded: embedded, client: asynq.NewClientFromRedisClient(client), log: log,
		wakes: map[string]*Wake{typeDeliver: NewWake(others, "work"), typeSlice: NewWake(others, "slices")}}
}

func (q *asynqTasks) Enqueue(ctx context.Context, t Task) error {
	sending, cancel := context.WithTimeout(ctx, enqueueTime)
	defer cancel()
	options := []asynq.Option{asynq.Queue(t.Queue), asynq.MaxRetry(0), asynq.Timeout(time.Hour)}
	if t.ID != "" {
		options = append(options, asynq.TaskID(t.ID))
	}
	_, err := q.client.EnqueueContext(sending, asynq.NewTask(t.Kind, t.Payload), options...)
	if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return err
	}
	if wake := q.wakes[t.Kind]; wake != nil {
		if _, here := q.served.Load(t.Queue); here {
			wake.Nudge()
		} else {
			wake.Publish(ctx)
		}
	}
	return nil
}

// Serve runs a server of asynq. A handler never fails: retries and counts are the
// database's, and asynq's own sets of failed tasks stay empty. The context of a task
// is of no use either: asynq ends it when Redis is away for a while, and what is
// being sent must not end with it.
func (q *asynqTasks) Serve(queues map[string]int, concurrency int, handle func(Task)) error {
	wake := q.wakes[typeSlice]
	if _, own := queues[queueDeliver]; own {
		wake = q.wakes[typeDeliver]
	}
	asking, err := hooked(q.redis, wake.Hook())
	if err != nil {
		return err
	}
	server := asynq.NewServerFromRedisClient(asking, asynq.Config{
		Concurrency: concurrency, Queues: queues,
		TaskCheckInterval: CheckInterval, DelayedTaskCheckInterval: time.Minute, ShutdownTimeout: 2 * time.Second,
		Logger: &asynqLog{log: q.log}, LogLevel: asynq.WarnLevel,
	})
	if err := server.Start(asynq.HandlerFunc(func(_ context.Context, t *asynq.Task) error {
		handle(Task{Kind: t.Type(), Payload: t.Payload()})
		return nil
	})); err != nil {
		return err
	}
	for queue := range queues {
		q.served.Store(queue, true)
	}
	q.servers = append(q.servers, server)
	hearing, stop := context.WithCancel(context.Background())
	q.hearing.Go(func() { wake.Subscribe(hearing, wake.Nudge) })
	q.stop = append(q.stop, func() { stop(); wake.Close() })
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

// Check asks the server; the embedded one would make an interpreter for it.
func (q *asynqTasks) Check(ctx context.Context) error {
	if q.embedded {
		return nil
	}
	return probe(ctx, q.redis)
}

// Sweep also removes what asynq put aside of tasks whose process died: what they
// spoke of is found in SQL.
func (q *asynqTasks) Sweep(ctx context.Context, gone func(queue string) bool) error {
	inspect := asynq.NewInspectorFromRedisClient(q.redis)
	queues, err := inspect.Queues()
	for _, queue := range queues {
		if gone(queue) {
			err = errors.Join(err, q.Drop(ctx, queue))
		} else if _, failed := inspect.DeleteAllArchivedTasks(queue); failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", queue, failed))
		}
	}
	return err
}

// scanCount is how many keys Redis looks at in one go: it serves nobody else
// meanwhile.
const scanCount = 1000

func (q *asynqTasks) Drop(ctx context.Context, queue string) error {
	ctx, cancel := context.WithTimeout(ctx, enqueueTime)
	defer cancel()
	keys := q.redis.Scan(ctx, 0, "asynq:{"+queue+"}:*", scanCount).Iterator()
	for keys.Next(ctx) {
		_ = q.redis.Del(ctx, keys.Val()).Err() // what stays is looked for again
	}
	if err := keys.Err(); err != nil {
		return err
	}
	return q.redis.SRem(ctx, "asynq:queues", queue).Err()
}

func (q *asynqTasks) Stop() {
	for _, stop := range q.stop {
		stop()
	}
	q.hearing.Wait()
	for _, server := range q.servers {
		server.Stop()
	}
}

func (q *asynqTasks) Close() {
	for _, server := range q.servers {
		server.Shutdown()
	}
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
