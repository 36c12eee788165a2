package jobs

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-dev/reprise/relay"
)

const publishGap = 2 * time.Millisecond

// Wake is a doorbell. Who waits hears it at once if it rings in this process,
// and within a millisecond or two if it rings in another. It remembers one ring.
type Wake struct {
	client  redis.UniversalClient // nil: there is no other process
	channel string
	self    string
	rung    chan struct{}
	closed  chan struct{}
	close   func()

	mu         sync.Mutex
	publishing bool
	again      bool
}

// NewWake makes a doorbell. Those of one name in all processes belong
// together. Give no client with the embedded Redis, which has one process only:
// Publish and Subscribe do nothing then.
func NewWake(client redis.UniversalClient, name string) *Wake {
	closed := make(chan struct{})
	return &Wake{
		client: client, channel: keyPrefix + "wake:" + name, self: relay.NewID().Hex(),
		rung: make(chan struct{}, 1), closed: closed, close: sync.OnceFunc(func() { close(closed) }),
	}
}

// Nudge rings in this process. It never blocks.
func (w *Wake) Nudge() {
	select {
	case w.rung <- struct{}{}:
	default:
	}
}

// Wait returns when the bell rings or has rung since the last Wait, or when
// Close was called. It returns false if most has passed or ctx has ended
// before. It is for one waiter at a time.
func (w *Wake) Wait(ctx context.Context, most time.Duration) bool {
	select {
	case <-w.rung:
		return true
	default:
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-w.rung:
		return true
	case <-w.closed:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// Close lets nobody wait any more. Called before asynq's Shutdown it saves up
// to a second.
func (w *Wake) Close() { w.close() }

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
	defer func() { _ = sub.Close() }()
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
