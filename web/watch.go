package main

import (
	"fmt"
	"net"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/reprise-dev/reprise/handlers"
	"github.com/reprise-dev/reprise/jobs"
)

// registry has the metrics of everything that this process runs.
func (s *server) registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), s.store, jobs.Backlog{Client: s.client})
	if s.engine != nil {
		r.MustRegister(s.engine)
	}
	return r
}

// mostWatchers is how many connections are served at a time at an address that is for
// watching only.
const mostWatchers = 32

// openWatch listens where /metrics, /healthz and /readyz are asked for, if that is
// an address of its own.
func (s *server) openWatch(metrics *prometheus.Registry) error {
	if s.cfg.MetricsAddr == "" {
		return nil
	}
	listen, err := net.Listen("tcp", s.cfg.MetricsAddr)
	if err != nil {
		return fmt.Errorf("REPRISE_METRICS_ADDR: %w", err)
	}
	app := handlers.New(handlers.Options{Store: s.store, Queue: s.client, HealthOnly: true, Connections: mostWatchers, Metrics: metrics, MetricsToken: s.cfg.MetricsToken,
		TrustedProxies: s.cfg.TrustedProxies, Version: version, Now: s.store.Now, Log: s.log})
	go func() { _ = app.Listener(listen) }()
	s.undo = append(s.undo, func() error { return app.ShutdownWithTimeout(deliveryGrace) })
	return nil
}
