package jobs

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// Embedded is a Redis inside the process, for one process. It is reached
// through pipes, so that no port is open, and keeps nothing over a restart.
type Embedded struct {
	server *miniredis.Miniredis
	stop   chan struct{}
	wait   sync.WaitGroup
}

// StartEmbedded starts an embedded Redis. Close it in the end.
func StartEmbedded() (*Embedded, error) {
	e := &Embedded{server: miniredis.NewMiniRedis(), stop: make(chan struct{})}
	first, err := e.server.Dial() // starts it without a listener
	if err != nil {
		return nil, err
	}
	first.Close()
	e.wait.Add(1)
	go e.tick()
	return e, nil
}

// tick lets time pass. The clock of the embedded Redis stands still otherwise,
// and no key would ever expire. What counts is the time that really went by,
// by the monotonic clock: a busy machine ticks late.
func (e *Embedded) tick() {
	defer e.wait.Done()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-e.stop:
			return
		case <-ticker.C:
			now := time.Now()
			e.server.FastForward(now.Sub(last))
			last = now
		}
	}
}

// Options are for a client of it.
func (e *Embedded) Options() *redis.Options {
	opts := &redis.Options{
		Addr: "embedded",
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			return e.server.Dial()
		},
	}
	applyDefaults(opts)
	return opts
}

// Client makes a client of it.
func (e *Embedded) Client() redis.UniversalClient { return redis.NewClient(e.Options()) }

// Close ends it and the connections of its clients.
func (e *Embedded) Close() error {
	close(e.stop)
	e.wait.Wait()
	e.server.Close()
	return nil
}
