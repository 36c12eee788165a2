package jobs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// counting is a hook that counts questions for work as they reach Redis.
type counting struct {
	idleHook
	questions atomic.Int64
}

func (c *counting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		_, ok := dequeueOf(cmd)
		if ok || cmd.Name() == "exists" && len(cmd.Args()) == 2 { // see filled
			c.questions.Add(1)
		}
		return next(ctx, cmd)
	}
}

// worker is an asynq server on three queues, and a client that does not wait.
type worker struct {
	wake    *Wake
	hook    *idleHook
	count   *counting
	tasks   *asynq.Client
	started chan time.Time
	stop    func()
}

type nothingLogged struct{}

func (nothingLogged) Debug(...any) {}
func (nothingLogged) Info(...any)  {}
func (nothingLogged) Warn(...any)  {}
func (nothingLogged) Error(...any) {}
func (nothingLogged) Fatal(...any) {}

func startWorker(t testing.TB, client redis.UniversalClient, change ...func(*idleHook)) *worker {
	t.Helper()
	others := client
	if strings.HasSuffix(t.Name(), "/embedded") {
		others = nil
	}
	w := &worker{wake: NewWake(others, "test"), count: &counting{}, started: make(chan time.Time, 1000), tasks: asynq.NewClientFromRedisClient(client)}
	w.hook = w.wake.Hook().(*idleHook)
	for _, f := range change {
		f(w.hook)
	}
	hooked := client.(*redis.Client).WithTimeout(2 * time.Second) // the same connections, other hooks
	hooked.AddHook(w.hook)
	hooked.AddHook(w.count)
	server := asynq.NewServerFromRedisClient(hooked, asynq.Config{
		Concurrency: 8, TaskCheckInterval: CheckInterval, Logger: nothingLogged{},
		Queues: map[string]int{"live": 6, "replay": 3, "maintenance": 1},
	})
	err := server.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		w.started <- time.Now()
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	w.stop = sync.OnceFunc(server.Shutdown)
	t.Cleanup(func() { w.wake.Close(); w.stop() })
	return w
}

func (w *worker) enqueue(t testing.TB, queue string) {
	t.Helper()
	if _, err := w.tasks.Enqueue(asynq.NewTask("x", nil), asynq.Queue(queue), asynq.MaxRetry(0)); err != nil {
		t.Fatal(err)
	}
}

// idle returns when the worker has found its queues empty and waits.
func (w *worker) idle(t testing.TB) {
	t.Helper()
	last, same := int64(-1), 0
	eventually(t, "the worker rests", func() bool {
		now := w.count.questions.Load()
		if same++; now != last {
			last, same = now, 0
		}
		return now >= 3 && same >= 15
	})
}

// unlessNudged lets an idle worker wait for as long as nobody rings.
func unlessNudged(h *idleHook) { h.most = time.Hour }

// starts returns when n more tasks have started.
func (w *worker) starts(t testing.TB, n int) {
	t.Helper()
	for range n {
		eventually(t, "a task starts", func() bool {
			select {
			case <-w.started:
				return true
			default:
				return false
			}
		})
	}
}

// askedInAWhile counts the questions that reach Redis in about a second, and
// says how many seconds it really was.
func (w *worker) askedInAWhile() (questions, seconds float64) {
	begun, before := time.Now(), w.count.questions.Load()
	<-time.After(time.Second)
	return float64(w.count.questions.Load() - before), time.Since(begun).Seconds()
}

// pickUps measures how long tasks wait when the worker is idle.
func (w *worker) pickUps(t testing.TB, n int) []time.Duration {
	var took []time.Duration
	for i := range n {
		w.idle(t)
		w.enqueue(t, []string{"live", "replay", "maintenance"}[i%3])
		enqueued := time.Now()
		w.wake.Nudge()
		took = append(took, max((<-w.started).Sub(enqueued), 0))
	}
	slices.Sort(took)
	return took
}

// If this fails after an update of asynq, its way to ask for tasks has changed:
// look at rdb.Dequeue and teach dequeueOf. Until then deliveries start later.
func TestHookKnowsHowAsynqAsks(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, client redis.UniversalClient) {
		w := startWorker(t, client)
		w.idle(t)
		if n, took := w.askedInAWhile(); n > 12*took {
			t.Errorf("an idle worker asked its three queues %.0f times in %.1f s, want about 3 a second", n, took)
		}
		before := w.count.questions.Load()
		eventually(t, "it asks again all the same", func() bool { return w.count.questions.Load() >= before+2 })
	})
}

func TestNudgeStartsWorkAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, client redis.UniversalClient) {
		w := startWorker(t, client, unlessNudged)
		w.pickUps(t, 12)
	})
}

func TestClosedWakeLetsAsynqStop(t *testing.T) {
	t.Parallel()
	w := startWorker(t, openTestRedis(t, EmbeddedURL), unlessNudged)
	w.idle(t)
	w.wake.Close()
	stopped := make(chan struct{})
	go func() { w.stop(); close(stopped) }()
	eventually(t, "asynq stops", func() bool {
		select {
		case <-stopped:
			return true
		default:
			return false
		}
	})
}

func TestWorkStartsWithoutANudge(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, client redis.UniversalClient) {
		w := startWorker(t, client)
		w.idle(t)
		w.enqueue(t, "live")
		w.starts(t, 1)
	})
}

// One nudge is enough for many tasks: a round that found something is followed
// by the next one at once.
func TestOneNudgeEmptiesTheQueues(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, client redis.UniversalClient) {
		w := startWorker(t, client, unlessNudged)
		w.idle(t)
		for i := range 90 {
			w.enqueue(t, []string{"live", "replay", "maintenance"}[i%3])
		}
		w.wake.Nudge()
		w.starts(t, 90)
	})
}

// A nudge while a round is under way counts for the next one.
func TestNudgeIsNotLost(t *testing.T) {
	t.Parallel()
	w := NewWake(nil, "test")
	w.Nudge()
	w.Nudge()
	if !w.Wait(t.Context(), time.Minute) {
		t.Error("the nudge was lost")
	}
	if w.Wait(t.Context(), time.Millisecond) {
		t.Error("two nudges were remembered as two")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if w.Wait(ctx, time.Minute) {
		t.Error("a context that ended rang")
	}
}

// Should asynq ask in another way, work still starts, and polling stays cheap.
func TestUnknownQuestionsArePolling(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, client redis.UniversalClient) {
		w := startWorker(t, client, func(h *idleHook) {
			h.recognise = func(redis.Cmder) (string, bool) { return "", false }
		})
		eventually(t, "the worker looks for work", func() bool { return w.count.questions.Load() >= 3 })
		if n, took := w.askedInAWhile(); n > 3*took/pollInterval.Seconds()+6 {
			t.Errorf("three queues were asked %.0f times in %.1f s", n, took)
		}
		w.enqueue(t, "replay")
		w.starts(t, 1)
	})
}

// Without Redis asynq asks again without a pause; the hook makes one.
func TestQuestionsRestWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	w := startWorker(t, openTestRedis(t, server.URL))
	w.idle(t)
	server.stop()
	if n, took := w.askedInAWhile(); n > 12*took {
		t.Errorf("asked %.0f times in %.1f s", n, took)
	}
	server.start(t)
	w.enqueue(t, "live")
	w.starts(t, 1)
}

func TestPublishReachesOtherProcesses(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	here, there := NewWake(openTestRedis(t, server.URL), "due"), NewWake(openTestRedis(t, server.URL), "due")
	other := NewWake(openTestRedis(t, server.URL), "tasks")
	var rings, own, others atomic.Int64
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	wait.Go(func() { there.Subscribe(ctx, func() { rings.Add(1) }) })
	wait.Go(func() { here.Subscribe(ctx, func() { own.Add(1) }) })
	wait.Go(func() { other.Subscribe(ctx, func() { others.Add(1) }) })
	defer func() { cancel(); wait.Wait() }()
	eventually(t, "all are subscribed, which rings once", func() bool { return rings.Load() == 1 && own.Load() == 1 && others.Load() == 1 })

	here.Publish(t.Context())
	eventually(t, "the other process hears it", func() bool { return rings.Load() == 2 })
	quiet := func() bool {
		here.mu.Lock()
		defer here.mu.Unlock()
		return !here.publishing
	}
	eventually(t, "it is heard, and known to be sent", quiet)
	for range 10_000 {
		here.Publish(t.Context())
	}
	eventually(t, "the last one goes out", quiet)
	eventually(t, "the other process hears the first and the last", func() bool { return rings.Load() >= 4 })
	if n := rings.Load(); n > 200 {
		t.Errorf("10,000 rings were sent as %d", n)
	}
	if own.Load() != 1 || others.Load() != 1 {
		t.Errorf("own rings heard: %d, of another name: %d", own.Load()-1, others.Load()-1)
	}
	server.stop()
	here.Publish(t.Context()) // neither blocks nor fails
	heard := rings.Load()
	server.start(t)
	eventually(t, "the subscription is made again and rings", func() bool { return rings.Load() > heard })
}

func TestWakeInOneProcess(t *testing.T) {
	t.Parallel()
	w := NewWake(nil, "due")
	w.Publish(t.Context())
	if w.publishing {
		t.Error("something is published to nobody")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.Subscribe(ctx, func() { t.Error("rang") })
}

func BenchmarkPickUp(b *testing.B) {
	for _, name := range []string{"embedded", "real"} {
		b.Run(name, func(b *testing.B) {
			url := EmbeddedURL
			if name == "real" {
				url = startRedis(b).URL
			}
			w := startWorker(b, openTestRedis(b, url))
			took := w.pickUps(b, 300)
			for _, p := range []int{50, 90, 99} {
				b.ReportMetric(float64(took[len(took)*p/100].Microseconds()), fmt.Sprintf("p%d-µs", p))
			}
			before, start := cpuTime(), time.Now()
			<-time.After(5 * time.Second)
			b.ReportMetric(100*float64(cpuTime()-before)/float64(time.Since(start)), "idle-cpu-%")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func BenchmarkThroughput(b *testing.B) {
	for _, name := range []string{"embedded", "real"} {
		b.Run(name, func(b *testing.B) {
			url := EmbeddedURL
			if name == "real" {
				url = startRedis(b).URL
			}
			w := startWorker(b, openTestRedis(b, url))
			go func() {
				for range b.N {
					w.enqueue(b, "live")
					w.wake.Nudge()
				}
			}()
			for range b.N {
				<-w.started
			}
			b.ReportMetric(float64(b.N)/cmp.Or(b.Elapsed().Seconds(), 1), "tasks/s")
		})
	}
}

// A script that Redis does not know yet is sent again in full, at once.
func TestUnknownScriptIsNoFailure(t *testing.T) {
	t.Parallel()
	client := openTestRedis(t, EmbeddedURL)
	hook := NewWake(client, "test").Hook().(*idleHook)
	client.AddHook(hook)
	keys := []string{"asynq:{live}:pending", "asynq:{live}:paused", "asynq:{live}:active", "asynq:{live}:lease"}
	err := client.EvalSha(t.Context(), "0123456789012345678901234567890123456789", keys, 1, "x").Err()
	if !redis.HasErrorPrefix(err, "NOSCRIPT") || hook.failing {
		t.Errorf("%v, failing %v", err, hook.failing)
	}
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
