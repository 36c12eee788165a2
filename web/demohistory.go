package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/web/demo"
)

const (
	demoDays = 7
	demoStep = 6 * time.Minute // between two events of the past
	// The outage of the past: one endpoint refused everything for some hours.
	outageFrom, outageTo = -66 * time.Hour, -57 * time.Hour
	outageEndpoint       = "Orders service"
)

// demoHistory writes seven days of the past down, as they would have been
// recorded: what came in and what became of it, an outage of nine hours
// among it.
func (s *server) demoHistory(ctx context.Context, project relay.ID) error {
	now := s.store.Now()
	config := s.store.Config()
	sources := map[string]*relay.Source{}
	for _, src := range config.SourcesOf(project) {
		sources[src.Name] = src
	}
	samples := demo.Events(int(demoDays*24*time.Hour/demoStep), now)
	ctx, stop := context.WithCancelCause(ctx) // at the first fault
	defer stop(nil)
	var all sync.WaitGroup
	gate := make(chan struct{}, 32)
	for i, e := range samples {
		at := now.Add(-time.Duration(i+1) * demoStep)
		gate <- struct{}{}
		all.Go(func() {
			defer func() { <-gate }()
			if err := s.demoPast(ctx, sources[e.SourceName], e, at, config.EndpointsOf(project)); err != nil {
				stop(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// demoPast is one event of the past with its deliveries, each tried once.
func (s *server) demoPast(ctx context.Context, src *relay.Source, e demo.Event, at time.Time, endpoints []*relay.Endpoint) error {
	payload := relay.Payload{Method: e.Method, IP: "192.0.2.10", Body: e.Body}
	for name, value := range e.Headers {
		payload.Headers = append(payload.Headers, relay.Header{Name: name, Value: value})
	}
	event := relay.Event{ID: relay.NewIDAt(at), ProjectID: src.ProjectID, SourceID: src.ID, EventType: relay.EventType(*src, &payload),
		Status: relay.EventUnmatched, SignatureValid: true, Verdict: relay.VerdictValid, ContentType: "application/json", Size: len(e.Body), ReceivedAt: at}
	var targets []*relay.Endpoint
	payload.Routing, targets = relay.PlanDeliveries(&event, endpoints)
	lease := &db.Lease{Owner: 1, Until: s.store.Now().Add(time.Minute)}
	var deliveries []relay.Delivery
	for _, to := range targets {
		event.Status = relay.EventForwarding
		deliveries = append(deliveries, relay.Delivery{ID: relay.NewIDAt(at), ProjectID: src.ProjectID, EventID: event.ID, EndpointID: to.ID, SourceID: src.ID,
			EventType: event.EventType, Status: relay.DeliveryPending, InFlight: true, Trigger: relay.TriggerIngest, CreatedAt: at, NextAttemptAt: at})
	}
	if _, err := s.store.Receive(ctx, db.Reception{Event: event, Payload: payload, Deliveries: deliveries, Lease: lease}); err != nil {
		return err
	}
	for i := range deliveries {
		if err := s.demoAttempt(ctx, &deliveries[i], targets[i], at); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) demoAttempt(ctx context.Context, d *relay.Delivery, to *relay.Endpoint, at time.Time) error {
	attempt := relay.Attempt{ID: relay.NewIDAt(at), ProjectID: d.ProjectID, DeliveryID: d.ID, EventID: d.EventID, EndpointID: d.EndpointID, Number: 1,
		Outcome: relay.OutcomeSuccess, StartedAt: at, Duration: time.Duration(20+rand.IntN(180)) * time.Millisecond, URL: to.URL, ResponseStatus: 200}
	rec := db.Recording{Claim: db.ClaimOf(d), Status: relay.DeliveryDelivered}
	ago := at.Sub(s.store.Now())
	if to.Name == outageEndpoint && ago > outageFrom && ago < outageTo || to.Name != outageEndpoint && rand.IntN(40) == 0 {
		attempt.Outcome, attempt.ResponseStatus = relay.OutcomeStatus, 503
		attempt.Error = "The endpoint answered 503 Service Unavailable. The receiver's log should say why."
		rec.Status, rec.LastError = relay.DeliveryDLQ, attempt.Error
	}
	rec.Attempt = attempt
	recorded := make(chan error, 1)
	s.store.Record(ctx, rec, func(_ bool, err error) { recorded <- err })
	return <-recorded
}

// demoWork leaves what somebody would who works with it: a key, a replay of the
// outage that is done, and one that is paused.
func (s *server) demoWork(ctx context.Context, project relay.ID) error {
	now := s.store.Now()
	text := relay.NewAPIKey()
	key := &relay.APIKey{ID: relay.NewIDAt(now), ProjectID: project, Name: "Deploy pipeline", Scope: relay.ScopeRead, CreatedAt: now,
		Hint: relay.HintAPIKey(text), Hash: relay.HashAPIKey(text)}
	if err := s.store.CreateKey(ctx, key, operator); err != nil {
		return err
	}
	outage := relay.Selection{DeliveryStatus: relay.DeliveryDLQ, NewestOnly: true, From: now.Add(outageFrom), To: now.Add(outageTo)}
	done := &relay.ReplayJob{ProjectID: project, RateLimit: 50, Brake: relay.DefaultReplayBrake, Note: "The orders service was down for some hours", Selection: outage}
	later := &relay.ReplayJob{ProjectID: project, RateLimit: 1, Brake: relay.DefaultReplayBrake, Note: "The last day for the new reporting",
		Selection: relay.Selection{From: now.Add(-24 * time.Hour), To: now.Add(-time.Minute)}}
	for _, job := range []*relay.ReplayJob{done, later} {
		if err := s.store.PlanReplay(ctx, job, operator); err != nil {
			return err
		}
		if _, err := s.store.StartReplay(ctx, project, job.ID, operator); err != nil {
			return err
		}
	}
	_, err := s.store.PauseReplay(ctx, project, later.ID, "Waits until the evening", operator)
	return err
}
