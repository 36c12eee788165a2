package jobs

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	lua "github.com/yuin/gopher-lua"
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
	smallScripts()
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

// smallScripts makes interpreters of scripts smaller, before there is any: each
// script gets a new one, whose 90 kB were a third of all that delivering
// allocates. Scripts here, asynq's and ours, hold a dozen values.
var smallScripts = sync.OnceFunc(func() { lua.RegistrySize, lua.CallStackSize = 1024, 32 })

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
