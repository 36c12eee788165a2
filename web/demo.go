package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
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

// demoPaths are the sample endpoints and what the receiver does with each, in the
// order in which the store remembers them.
var demoPaths = []struct{ name, path string }{{"Orders service", "/good"}, {"CRM sync", "/flaky"}, {"Legacy ERP", "/dead"}}

// startDemo starts the sample receiver, points the sample endpoints at it and, in
// a database that is new, makes everything that the demo shows. What comes in now
// comes in by the front door, as requests.
func (s *server) startDemo(ctx context.Context) error {
	project, err := s.store.DefaultProject(ctx)
	if err != nil {
		return err
	}
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	receiver := &http.Server{Handler: demo.Receiver(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = receiver.Serve(listen) }()
	s.undo = append([]func() error{receiver.Close}, s.undo...)
	base := "http://" + listen.Addr().String()
	endpoints, err := s.store.DemoEndpoints(ctx)
	if err == nil && len(endpoints) > 0 {
		err = s.moveDemo(ctx, project.ID, endpoints, base)
	} else if err == nil {
		err = s.fillDemo(ctx, project.ID, base)
	}
	if err != nil {
		return err
	}
	if user, err := s.store.UserByEmail(ctx, demoEmail); err == nil && handlers.IsPassword(demoPassword, user.PasswordHash) {
		s.log.Info("log in to the demo", "url", s.cfg.PublicURL, "email", demoEmail, "password", demoPassword)
	}
	return nil
}

// fillDemo makes everything that the demo shows. If it is cut off, the next start
// begins anew.
func (s *server) fillDemo(ctx context.Context, project relay.ID, base string) error {
	if err := s.demoPeople(ctx, project); err != nil {
		return err
	}
	endpoints, err := s.demoEndpoints(ctx, project, base)
	if err != nil {
		return err
	}
	slugs, err := s.demoSources(ctx, project)
	if err != nil {
		return err
	}
	if err := s.demoHistory(ctx, project); err != nil {
		return err
	}
	if err := s.postDemo(ctx, slugs); err != nil {
		return err
	}
	if err := s.demoWork(ctx, project); err != nil {
		return err
	}
	return s.store.DemoFilled(ctx, endpoints)
}

// demoPeople makes two people who can log in, beside the one whom the settings may
// have made.
func (s *server) demoPeople(ctx context.Context, project relay.ID) error {
	n, err := s.store.UserCount(ctx)
	if err != nil {
		return err
	}
	for _, email := range []string{demoEmail, demoColleague} {
		user, err := newUser(email, demoPassword)
		if err != nil {
			return err
		}
		user.CreatedAt = s.store.Now()
		if n == 0 {
			err = s.store.CreateFirstUser(ctx, user, "Demo", operator)
		} else {
			err = s.store.CreateUser(ctx, user, []relay.ID{project}, operator)
		}
		if err != nil && relay.KindOf(err) != relay.KindConflict { // one of the two may be the one of the settings
			return err
		}
		n++
	}
	return nil
}

// moveDemo gives the sample endpoints the receiver's new address. One that
// somebody has deleted, or made point elsewhere, is theirs.
func (s *server) moveDemo(ctx context.Context, project relay.ID, endpoints []relay.ID, base string) error {
	for i, id := range endpoints {
		_, err := s.store.UpdateEndpoint(ctx, project, id, "endpoint.updated", operator, func(e *relay.Endpoint) error {
			if u, err := url.Parse(e.URL); err == nil && u.Hostname() == "127.0.0.1" && u.Path == demoPaths[i].path {
				e.URL = base + demoPaths[i].path
			}
			return nil
		})
		if err != nil && relay.KindOf(err) != relay.KindNotFound {
			return err
		}
	}
	return nil
}

func (s *server) demoEndpoints(ctx context.Context, project relay.ID, base string) ([]relay.ID, error) {
	var ids []relay.ID
	for _, sample := range demoPaths {
		now := s.store.Now()
		e := &relay.Endpoint{ID: relay.NewIDAt(now), ProjectID: project, Name: sample.name, URL: base + sample.path, Status: relay.EndpointActive,
			Secrets:     []relay.Secret{{ID: relay.NewIDAt(now), Value: relay.NewSecret(), CreatedAt: now}},
			HTTPTimeout: 2 * time.Second, Authentication: relay.Authentication{Type: relay.AuthNone}, CreatedAt: now, UpdatedAt: now,
			Retry: relay.RetryPolicy{MaxRetries: 3, InitialDelay: time.Second, Factor: 2, MaxDelay: time.Minute}}
		if sample.path == "/dead" {
			e.EventFilter = []string{"orders/*", "invoice.*", "charge.*"}
			e.Retry.MaxRetries = 1
		}
		if err := s.store.CreateEndpoint(ctx, e, operator); err != nil {
			return nil, err
		}
		ids = append(ids, e.ID)
	}
	return ids, nil
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
