package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/reprise-dev/reprise/handlers"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/web/demo"
)

const (
	demoEvents    = 40
	demoEmail     = "demo@example.com"
	demoColleague = "sam@example.com"
	demoPassword  = "reprise-demo" //nolint:gosec // of the demo, shown in its log
)

// claimDemo makes sure that the database is the demo's, and makes two people who
// can log in, if nobody can. fresh says that there is nothing in it yet.
func (s *server) claimDemo(ctx context.Context) (fresh bool, err error) {
	if fresh, err = s.store.ClaimDemo(ctx); err != nil {
		return false, err
	}
	if n, err := s.store.UserCount(ctx); err != nil || n > 0 {
		return fresh, err
	}
	project, err := s.store.DefaultProject(ctx)
	if err != nil {
		return false, err
	}
	for i, email := range []string{demoEmail, demoColleague} {
		user, err := newUser(email, demoPassword)
		if err != nil {
			return false, err
		}
		user.CreatedAt = s.store.Now()
		if i == 0 {
			err = s.store.CreateFirstUser(ctx, user, "Demo", operator)
		} else {
			err = s.store.CreateUser(ctx, user, []relay.ID{project.ID}, operator)
		}
		if err != nil {
			return false, err
		}
	}
	return fresh, nil
}

// startDemo starts the sample receiver, points the sample endpoints at it and, in
// a database that is new, makes everything that the demo shows. What comes in now
// comes in by the front door, as requests.
func (s *server) startDemo(ctx context.Context, fresh bool) error {
	project, err := s.store.DefaultProject(ctx)
	if err != nil {
		return err
	}
	if user, err := s.store.UserByEmail(ctx, demoEmail); err == nil && handlers.IsPassword(demoPassword, user.PasswordHash) {
		s.log.Info("log in to the demo", "url", s.cfg.PublicURL, "email", demoEmail, "password", demoPassword)
	}
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	receiver := &http.Server{Handler: demo.Receiver(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = receiver.Serve(listen) }()
	s.undo = append([]func() error{receiver.Close}, s.undo...)
	if err := s.demoEndpoints(ctx, project.ID, "http://"+listen.Addr().String()); err != nil || !fresh {
		return err
	}
	slugs, err := s.demoSources(ctx, project.ID)
	if err != nil {
		return err
	}
	if err := s.demoHistory(ctx, project.ID); err != nil {
		return err
	}
	if err := s.postDemo(ctx, slugs); err != nil {
		return err
	}
	return s.demoWork(ctx, project.ID)
}

// demoEndpoints makes the three endpoints, or gives those of an earlier run
// the receiver's new address.
func (s *server) demoEndpoints(ctx context.Context, project relay.ID, base string) error {
	paths := map[string]string{"Orders service": "/good", "CRM sync": "/flaky", "Legacy ERP": "/dead"}
	for _, e := range s.store.Config().EndpointsOf(project) {
		path, ours := paths[e.Name]
		if !ours {
			continue
		}
		delete(paths, e.Name)
		_, err := s.store.UpdateEndpoint(ctx, project, e.ID, "endpoint.updated", operator, func(e *relay.Endpoint) error {
			e.URL = base + path
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(paths) < 3 {
		return nil
	}
	for _, name := range []string{"Orders service", "CRM sync", "Legacy ERP"} {
		now := s.store.Now()
		e := &relay.Endpoint{ID: relay.NewIDAt(now), ProjectID: project, Name: name, URL: base + paths[name], Status: relay.EndpointActive,
			Secrets:     []relay.Secret{{ID: relay.NewIDAt(now), Value: relay.NewSecret(), CreatedAt: now}},
			HTTPTimeout: 2 * time.Second, Authentication: relay.Authentication{Type: relay.AuthNone}, CreatedAt: now, UpdatedAt: now,
			Retry: relay.RetryPolicy{MaxRetries: 3, InitialDelay: time.Second, Factor: 2, MaxDelay: time.Minute}}
		if name == "Legacy ERP" {
			e.EventFilter = []string{"orders/*", "invoice.*", "charge.*"}
			e.Retry.MaxRetries = 1
		}
		if err := s.store.CreateEndpoint(ctx, e, operator); err != nil {
			return err
		}
	}
	return nil
}

// demoSources makes the sample sources and returns the slug of each by name.
func (s *server) demoSources(ctx context.Context, project relay.ID) (map[string]string, error) {
	slugs := map[string]string{}
	for _, d := range demo.Sources() {
		now := s.store.Now()
		src := &relay.Source{ID: relay.NewIDAt(now), ProjectID: project, Name: d.Name, Slug: d.Slug,
			Type: relay.SourceHTTP, Provider: d.Provider, Verifier: relay.Verifier{Type: d.Provider, Secret: d.Secret},
			RetentionDays: 30, CreatedAt: now, UpdatedAt: now}
		if err := s.store.CreateSource(ctx, src, operator); err != nil {
			return nil, err
		}
		slugs[d.Name] = src.Slug
	}
	return slugs, nil
}

func (s *server) postDemo(ctx context.Context, slugs map[string]string) error {
	for _, e := range demo.Events(demoEvents, s.store.Now()) {
		target := "http://" + s.listen.Addr().String() + "/in/" + slugs[e.SourceName]
		req, err := http.NewRequestWithContext(ctx, e.Method, target, bytes.NewReader(e.Body))
		if err != nil {
			return err
		}
		for name, value := range e.Headers {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("posting a sample event: %w", err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusAccepted {
			return fmt.Errorf("posting a sample event to %s: %s", e.SourceName, resp.Status)
		}
	}
	return nil
}
