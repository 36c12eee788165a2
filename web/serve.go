package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/handlers"
	"github.com/reprise-dev/reprise/jobs"
	"github.com/reprise-dev/reprise/jobs/send"
	"github.com/reprise-dev/reprise/relay"
)

// roles are the halves of the product that a process runs.
type roles struct {
	web, worker bool
	demo        bool
}

func serveCommands() []*cobra.Command {
	var demo bool
	serve := &cobra.Command{Use: "serve", Short: "Run everything in one process", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), roles{web: true, worker: true, demo: demo})
		}}
	serve.Flags().BoolVar(&demo, "demo", false, "fill an empty database with sample sources, endpoints and events")
	web := &cobra.Command{Use: "web", Short: "Run the half that receives webhooks and serves pages and the API", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), roles{web: true}) }}
	worker := &cobra.Command{Use: "worker", Short: "Run the half that delivers", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), roles{worker: true}) }}
	return []*cobra.Command{serve, web, worker}
}

// lockWait is how long a process that takes over waits for the one before it.
const lockWait = 5 * time.Second

// deliveryGrace is added to the longest time limit of an endpoint when a
// process stops.
const deliveryGrace = 5 * time.Second

// server is a running process; close takes it down again in order.
type server struct {
	cfg    Config
	log    *slog.Logger
	store  *db.Store
	engine *jobs.Engine
	client *jobs.Client
	app    *handlers.App
	listen net.Listener
	undo   []func() error
}

// run starts the wanted halves and works until ctx ends.
func run(ctx context.Context, want roles) error {
	cfg, log, flush, err := servingSettings()
	if err != nil {
		return err
	}
	defer flush()
	s := &server{cfg: cfg, log: log}
	release := tuneRuntime(cfg)
	defer release()
	if err := s.open(ctx, want); err != nil {
		return errors.Join(err, s.close())
	}
	served := make(chan error, 1)
	if s.app != nil {
		go func() { served <- s.app.Listener(s.listen) }()
	}
	if want.demo {
		err = s.startDemo(ctx)
	}
	if err == nil {
		s.announce(ctx, want)
		select {
		case <-ctx.Done():
		case err = <-served:
		}
	}
	if ctx.Err() != nil { // perhaps before the demo was full, which is no fault
		log.Info("stopping")
		err = nil
	}
	return errors.Join(err, s.close())
}

// open acquires what the process needs, each step undone by close.
func (s *server) open(ctx context.Context, want roles) error {
	if (!want.web || !want.worker) && (s.cfg.RedisURL == "embedded" || onSQLite(s.cfg)) {
		return errors.New("web and worker are for several processes: they need DATABASE_URL=postgres://… and REDIS_URL=redis://…; use serve for one")
	}
	key, err := secretKey(s.cfg, s.log)
	if err != nil {
		return err
	}
	off, err := time.ParseDuration(cmp.Or(clockError, "0s"))
	if err != nil {
		return fmt.Errorf("main.clockError: %w", err)
	}
	s.store, err = db.Open(ctx, db.Options{
		URL: s.cfg.DatabaseURL, Key: key, Migrate: true, Demo: want.demo, ClockError: off, Log: s.log,
		Exclusive: true, Alone: s.cfg.RedisURL == "embedded", LockWait: lockWait,
	})
	if err != nil {
		return err
	}
	s.undo = append(s.undo, s.store.Close)
	if err := s.seed(ctx); err != nil {
		return fmt.Errorf("using the database: %w", err)
	}
	if want.web {
		if s.listen, err = net.Listen("tcp", s.cfg.Addr); err != nil {
			return fmt.Errorf("REPRISE_ADDR: %w", err)
		}
	}
	if err := s.openQueue(ctx, want); err != nil {
		return err
	}
	metrics := s.registry()
	if want.web {
		s.openWeb(metrics)
	}
	return s.openWatch(metrics)
}

func (s *server) openWeb(metrics *prometheus.Registry) {
	s.app = handlers.New(handlers.Options{
		Store: s.store, Queue: s.client, PublicURL: s.cfg.PublicURL, IngestURL: s.cfg.IngestURL, MaxBodyBytes: s.cfg.MaxBodyBytes,
		Connections:    mostConnections(),
		TrustedProxies: s.cfg.TrustedProxies, Egress: relay.EgressPolicy{Allow: s.cfg.EgressAllow},
		APIRatePerMinute: s.cfg.APIRatePerMinute, ReplaysPerMinute: s.cfg.ReplaysPerMinute,
		TestFiresPerMinute: s.cfg.TestFiresPerMinute, MetricsToken: s.cfg.MetricsToken, Metrics: metrics, Version: version,
		Now: s.store.Now, Log: s.log,
	})
	// Requests under way are answered; those of pages and webhooks are short.
	s.undo = append(s.undo, func() error { return s.app.ShutdownWithTimeout(deliveryGrace) })
}

func (s *server) openQueue(ctx context.Context, want roles) error {
	client, embedded, closeRedis, err := jobs.OpenRedis(s.cfg.RedisURL)
	if err != nil {
		return fmt.Errorf("REDIS_URL %w", err)
	}
	s.undo = append(s.undo, closeRedis)
	if !embedded {
		if err := s.checkRedis(ctx, client); err != nil {
			return err
		}
	}
	s.client = jobs.NewClient(s.store, client, embedded, jobs.NewTasks(client, embedded, s.log))
	s.store.OnReplay(s.client.ReplayChanged)
	if !want.worker {
		telling, stop := context.WithCancel(context.WithoutCancel(ctx))
		told := make(chan struct{})
		go func() { defer close(told); s.client.Tell(telling) }()
		s.undo = append(s.undo, func() error { stop(); <-told; return nil })
		return nil
	}
	sender := send.New(send.Options{
		Egress: relay.EgressPolicy{Allow: s.cfg.EgressAllow}, SelfAddrs: s.selfAddrs(), UserAgent: "Reprise/" + version,
		Now: s.store.Now,
	})
	s.engine = jobs.NewEngine(jobs.EngineOptions{
		Store: s.store, Tasks: s.client.Tasks, Send: sender, Host: hostName(),
		Alone:       embedded || s.store.Kind() == "sqlite",
		Concurrency: s.cfg.Concurrency, RetryScale: s.cfg.RetryScale, AuditDays: s.cfg.AuditDays, Now: s.store.Now, Log: s.log,
	})
	if err := s.engine.Start(ctx); err != nil {
		return fmt.Errorf("using the database: %w", err)
	}
	s.client.Engine = s.engine
	s.undo = append(s.undo, func() error {
		s.engine.Stop(s.store.Config().LongestTimeout() + deliveryGrace)
		sender.Close()
		return nil
	})
	return nil
}

// checkRedis refuses a server that can never be used, and tells what is wrong with
// another.
func (s *server) checkRedis(ctx context.Context, client redis.UniversalClient) error {
	warnings, err := jobs.CheckRedis(ctx, client)
	switch {
	case errors.Is(err, jobs.ErrRedisCluster):
		return fmt.Errorf("REDIS_URL %w", jobs.ErrRedisCluster)
	case err != nil:
		s.log.Warn("Redis cannot be used so far; all goes on without it", "error", err)
	}
	for _, w := range warnings {
		s.log.Warn("Redis: " + w)
	}
	return nil
}

// close undoes open in reverse: no more requests, what is being sent ends,
// then Redis and the database.
func (s *server) close() error {
	var errs []error
	for i := len(s.undo) - 1; i >= 0; i-- {
		errs = append(errs, s.undo[i]())
	}
	s.undo = nil
	return errors.Join(errs...)
}
