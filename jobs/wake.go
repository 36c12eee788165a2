package jobs

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-dev/reprise/relay"
)

const (
	// CheckInterval is asynq's TaskCheckInterval for a server whose client
	// has a Wake's Hook, which does the waiting instead.
	CheckInterval = time.Millisecond

	holdAtMost   = 250 * time.Millisecond
	pollInterval = 50 * time.Millisecond // without recognising asynq's dequeue
	publishGap   = 2 * time.Millisecond
)

// Wake is a doorbell. Who waits hears it at once if it rings in this process,
// and within a millisecond or two if it rings in another. It remembers one ring.
type Wake struct {
	client  redis.UniversalClient // nil: there is no other process
	channel string
	self    string
	rung    chan struct{}

	mu         sync.Mutex
	publishing bool
	again      bool
}

// NewWake makes a doorbell. Those of one name in all processes belong
// together. Give no client with the embedded Redis, which has one process only:
// Publish and Subscribe do nothing then.
func NewWake(client redis.UniversalClient, name string) *Wake {
	return &Wake{
		client: client, channel: keyPrefix + "wake:" + name,
		self: relay.NewID().Hex(), rung: make(chan struct{}, 1),
	}
}

// Nudge rings in this process. It never blocks.
func (w *Wake) Nudge() {
	select {
	case w.rung <- struct{}{}:
	default:
	}
}

// Wait returns when the bell rings or has rung since the last Wait, when most
// has passed, or when ctx ends. It is for one waiter at a time.
func (w *Wake) Wait(ctx context.Context, most time.Duration) {
	select {
	case <-w.rung:
		return
	default:
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-w.rung:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Publish rings in the other processes. It never blocks: rings that come
// while one is under way are sent as one more.
func (w *Wake) Publish(ctx context.Context) {
	if w.client == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.publishing {
		w.again = true
		return
	}
	w.publishing = true
	go w.publish(context.WithoutCancel(ctx))
}

func (w *Wake) publish(ctx context.Context) {
	for {
		sending, cancel := context.WithTimeout(ctx, time.Second)
		// Unheard is unheard: everybody also looks for work now and then.
		_ = w.client.Publish(sending, w.channel, w.self).Err()
		cancel()
		w.mu.Lock()
		w.publishing, w.again = w.again, false
		more := w.publishing
		w.mu.Unlock()
		if !more {
			return
		}
		<-time.After(publishGap)
	}
}

// Subscribe calls ring whenever another process publishes, and after each time
// that the connection was made, for rings may have been missed before. It
// returns when ctx ends.
func (w *Wake) Subscribe(ctx context.Context, ring func()) {
	if w.client == nil {
		<-ctx.Done()
		return
	}
	sub := w.client.Subscribe(ctx, w.channel)
	defer sub.Close()
	messages := sub.ChannelWithSubscriptions()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-messages:
			if own, ok := m.(*redis.Message); ok && own.Payload == w.self {
				continue
			}
			ring()
		}
	}
}

// Hook is for the client of an asynq server. asynq asks its queues again and
// again, however empty they are. The hook holds the first question after a
// round that found nothing until the bell rings, which makes work start at
// once and idling cheap. It rests on how asynq asks (see dequeueOf); should
// that change, the hook slows the questions down to plain polling.
func (w *Wake) Hook() redis.Hook {
	return &idleHook{wake: w, recognise: dequeueOf, empty: map[string]bool{}, asked: map[string]time.Time{}}
}

type idleHook struct {
	wake      *Wake
	recognise func(redis.Cmder) (queue string, ok bool)

	mu      sync.Mutex
	empty   map[string]bool      // queues that had nothing in this round
	failing bool                 // the last question got no answer
	asked   map[string]time.Time // unknown questions that found nothing
	warned  bool
}

// dequeueOf recognises the script by which asynq 0.26 takes a task
// (rdb.Dequeue): its keys are asynq:{queue}:pending, :paused, :active, :lease.
func dequeueOf(cmd redis.Cmder) (queue string, ok bool) {
	args := cmd.Args()
	if len(args) < 5 || args[0] != "evalsha" && args[0] != "eval" {
		return "", false
	}
	pending, _ := args[3].(string)
	paused, _ := args[4].(string)
	queue, ok = strings.CutSuffix(pending, ":pending")
	return queue, ok && strings.HasPrefix(queue, "asynq:") && paused == queue+":paused"
}

// unknownQuestion is a command on asynq's keys that is not the known dequeue.
func unknownQuestion(cmd redis.Cmder) (id string, ok bool) {
	args := cmd.Args()
	at := 1
	if name, _ := args[0].(string); strings.HasPrefix(name, "eval") || strings.HasPrefix(name, "fcall") {
		at = 3
	}
	if len(args) <= at {
		return "", false
	}
	key, _ := args[at].(string)
	return key, strings.HasPrefix(key, "asynq:")
}

func (h *idleHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *idleHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *idleHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if queue, ok := h.recognise(cmd); ok {
			h.hold(ctx, queue)
			err := next(ctx, cmd)
			h.learn(queue, err)
			return err
		}
		id, ok := unknownQuestion(cmd)
		if !ok {
			return next(ctx, cmd)
		}
		h.slowDown(ctx, id)
		err := next(ctx, cmd)
		h.remember(id, err)
		return err
	}
}

// hold waits if every queue was asked in vain. asynq shuffles its queues, so a
// round has ended when a queue comes up that this round has asked already.
func (h *idleHook) hold(ctx context.Context, queue string) {
	h.mu.Lock()
	over, failing := h.empty[queue], h.failing
	if over || failing {
		clear(h.empty)
		h.failing = false
	}
	h.mu.Unlock()
	switch {
	case failing: // asynq itself would ask again at once
		pause(ctx, holdAtMost)
	case over:
		h.wake.Wait(ctx, holdAtMost)
	}
}

func (h *idleHook) learn(queue string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		clear(h.empty)
	case err == redis.Nil:
		h.empty[queue] = true
	case !redis.HasErrorPrefix(err, "NOSCRIPT"): // it is sent again in full
		h.failing = true
	}
}

func (h *idleHook) slowDown(ctx context.Context, id string) {
	h.mu.Lock()
	wait := pollInterval - time.Since(h.asked[id])
	warn := wait > 0 && !h.warned
	h.warned = h.warned || warn
	h.mu.Unlock()
	if warn {
		slog.Warn("asynq asks for work in an unknown way: deliveries start up to 50 ms later", "key", id)
	}
	pause(ctx, wait)
}

func (h *idleHook) remember(id string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != redis.Nil {
		delete(h.asked, id)
		return
	}
	if len(h.asked) > 64 {
		clear(h.asked)
	}
	h.asked[id] = time.Now()
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
