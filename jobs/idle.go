package jobs

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// CheckInterval is asynq's TaskCheckInterval for a server whose client
	// has a Wake's Hook, which does the waiting instead.
	CheckInterval = time.Millisecond

	holdAtMost   = 250 * time.Millisecond
	pollInterval = 50 * time.Millisecond // without recognising asynq's dequeue
)

// Hook is for the client of an asynq server. asynq asks its queues again and
// again, however empty they are. The hook holds the first question after a
// round that found nothing until the bell rings, which makes work start at
// once and idling cheap. It rests on how asynq asks (see dequeueOf); should
// that change, the hook slows the questions down to plain polling.
func (w *Wake) Hook() redis.Hook {
	return &idleHook{wake: w, recognise: dequeueOf, most: holdAtMost, empty: map[string]bool{}, asked: map[string]time.Time{}}
}

type idleHook struct {
	wake      *Wake
	recognise func(redis.Cmder) (queue string, ok bool)
	most      time.Duration // that work may wait if nobody rings

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
			h.hold(ctx, queue, next)
			var err error
			if h.wake.client == nil && !h.filled(ctx, queue, next) {
				err = redis.Nil
				cmd.SetErr(err)
			} else {
				err = next(ctx, cmd)
			}
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
func (h *idleHook) hold(ctx context.Context, queue string, next redis.ProcessHook) {
	h.mu.Lock()
	over, failing := h.empty[queue], h.failing
	exists := []any{"exists"}
	if over || failing {
		for q := range h.empty {
			exists = append(exists, q+":pending")
		}
		clear(h.empty)
		h.failing = false
	}
	h.mu.Unlock()
	switch {
	case failing: // asynq itself would ask again at once
		pause(ctx, holdAtMost)
	case over:
		// A script for each queue costs far more than one look at them all,
		// above all in the embedded Redis. asynq gets its turn every second,
		// whatever there is, since that is when it notices that it shall stop.
		for range time.Second / holdAtMost {
			if h.wake.Wait(ctx, h.most) {
				return
			}
			look := redis.NewIntCmd(ctx, exists...)
			if err := next(ctx, look); err != nil || look.Val() > 0 {
				return
			}
		}
	}
}

// filled spares the embedded Redis a script that would find nothing: it makes
// an interpreter for each, which costs more than delivering.
func (h *idleHook) filled(ctx context.Context, queue string, next redis.ProcessHook) bool {
	look := redis.NewIntCmd(ctx, "exists", queue+":pending")
	return next(ctx, look) != nil || look.Val() > 0
}

func (h *idleHook) learn(queue string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err == nil:
		clear(h.empty)
	case errors.Is(err, redis.Nil):
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
	if !errors.Is(err, redis.Nil) {
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
