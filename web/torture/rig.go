package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/web/api"
)

const workers = 3

// rig is everything that runs.
type rig struct {
	*story
	gateway
	ingest    string
	dir       string
	kept      bool
	postgres  *dbtest.Server
	redis     *dbtest.Server
	receiver  *receiver
	web       *process
	workers   []*process
	sql       *sql.DB
	asking    redis.UniversalClient
	endpoints map[string]string // ids by name
	turns     map[string]*sync.Mutex
}

func newRig(ctx context.Context, o options, s *story) (r *rig, err error) {
	r = &rig{story: s, endpoints: map[string]string{}, turns: map[string]*sync.Mutex{}}
	defer func() {
		if err != nil {
			r.stop()
		}
	}()
	if r.dir, r.kept = o.keep, o.keep != ""; r.kept {
		err = os.MkdirAll(r.dir, 0o700)
	} else {
		r.dir, err = os.MkdirTemp("", "reprise-torture-")
	}
	if err != nil {
		return r, err
	}
	if r.postgres, err = dbtest.StartPostgres(dbtest.Durable); err != nil {
		return r, err
	}
	if r.redis, err = dbtest.StartRedis(); err != nil {
		return r, err
	}
	if r.receiver, err = startReceiver(); err != nil {
		return r, err
	}
	if r.sql, err = sql.Open("pgx", r.postgres.URL); err != nil {
		return r, err
	}
	at, err := redis.ParseURL(r.redis.URL)
	if err != nil {
		return r, err
	}
	r.asking = redis.NewClient(at)
	return r, r.startProcesses(ctx, o)
}

func (r *rig) startProcesses(ctx context.Context, o options) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	r.gateway = gateway{api.Client{URL: "http://" + address, Key: fmt.Sprintf("rp_torture_%x", rand.Uint64())}}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "REPRISE_ADDR=" + address, "REPRISE_API_KEY=" + r.Key, "REPRISE_SECRET_KEY=" + strings.Repeat("ab", 32),
		"DATABASE_URL=" + r.postgres.URL, "REDIS_URL=" + r.redis.URL, "REPRISE_EGRESS_ALLOW=127.0.0.0/8", "REPRISE_API_RATE_PER_MINUTE=0",
		"REPRISE_REPLAYS_PER_MINUTE=0", "REPRISE_RETRY_SCALE=0.05",
	}
	start := func(name, role, binary string) (*process, error) {
		path, err := filepath.Abs(binary)
		if err != nil {
			return nil, err
		}
		dir, err := filepath.Abs(r.dir)
		p := &process{name: name, binary: path, args: []string{role}, env: env, dir: dir, story: r.story}
		p.start()
		return p, err
	}
	if r.web, err = start("web", "web", o.binary); err != nil {
		return err
	}
	if err := r.insist(ctx, "GET", "/readyz", nil, nil); err != nil {
		return err
	}
	for i := range workers {
		binary := o.binary
		if i == workers-1 {
			binary = o.ahead
		}
		w, err := start(fmt.Sprintf("worker%d", i+1), "worker", binary)
		if err != nil {
			return err
		}
		r.workers = append(r.workers, w)
	}
	return r.furnish(ctx)
}

// furnish makes the source and the endpoints.
func (r *rig) furnish(ctx context.Context) error {
	var made struct {
		ID   string `json:"id"`
		Slug string `json:"slug"`
	}
	err := r.Call(ctx, "POST", "/api/v1/sources", map[string]any{"name": "torture", "type": "http", "verifier": map[string]string{"type": "noop"}}, &made)
	if err != nil {
		return err
	}
	r.ingest = r.URL + "/in/" + made.Slug
	for _, t := range targets {
		ask := map[string]any{"name": t.name, "url": r.receiver.url + t.name, "event_filter": t.takes, "http_timeout": httpTimeout.Seconds(),
			"retry": map[string]any{"max_retries": 8, "initial_delay": 10, "factor": 2, "max_delay": 100}}
		for name, value := range t.limits {
			ask[name] = value
		}
		if err := r.Call(ctx, "POST", "/api/v1/endpoints", ask, &made); err != nil {
			return err
		}
		r.endpoints[t.name], r.turns[t.name] = made.ID, &sync.Mutex{}
	}
	r.turns["redis"], r.turns["postgres"] = &sync.Mutex{}, &sync.Mutex{}
	return nil
}

// stop ends everything and removes the files.
func (r *rig) stop() {
	for _, p := range append(slices.Clone(r.workers), r.web) {
		if p != nil {
			p.stop()
		}
	}
	if r.receiver != nil {
		_ = r.receiver.server.Close()
	}
	if r.sql != nil {
		_ = r.sql.Close()
	}
	if r.asking != nil {
		_ = r.asking.Close()
	}
	for _, s := range []*dbtest.Server{r.redis, r.postgres} {
		if s != nil {
			s.Stop()
		}
	}
	if !r.kept {
		_ = os.RemoveAll(r.dir)
	}
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), errors.Join(l.Close())
}

// turn waits until nobody else does something to a server or an endpoint.
func (r *rig) turn(name string) (release func()) {
	r.turns[name].Lock()
	return r.turns[name].Unlock
}

// after waits for a time since the sending began.
func after(ctx context.Context, start time.Time, d time.Duration) bool {
	rest(ctx, time.Until(start.Add(d)))
	return ctx.Err() == nil
}
