package db

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

func TestSources(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		src := *w.source
		src.ID, src.Slug = relay.NewIDAt(w.Now()), w.source.Slug
		wantKind(t, w.CreateSource(t.Context(), &src, system), relay.KindConflict)
		src.Slug, src.IdempotencyKeys, src.ForwardHeaders = "another", []string{"request.header.X-Id"}, []string{"X-A"}
		src.CustomResponse = &relay.CustomResponse{Status: 200, ContentType: "text/plain", Body: "\x00ok?"}
		src.Verifier = relay.Verifier{Type: "stripe", Secret: "s"}
		check(t, w.CreateSource(t.Context(), &src, system))
		got, err := w.Source(w.project, src.ID)
		check(t, err)
		if diff := cmp.Diff(src, *got); diff != "" {
			t.Error(diff)
		}
		_, err = w.Source(w.addProject(t), src.ID)
		wantKind(t, err, relay.KindNotFound)
		_, err = w.UpdateSource(t.Context(), w.project, src.ID, system, func(s *relay.Source) error { s.Slug = w.source.Slug; return nil })
		wantKind(t, err, relay.KindConflict)
		page, err := w.Sources(t.Context(), w.project, sqldb.Page{Limit: 1})
		check(t, err)
		equal(t, "newest", page.Rows[0].ID, src.ID)
		page, err = w.Sources(t.Context(), w.project, sqldb.Page{Limit: 1, Cursor: page.Next})
		check(t, err)
		equal(t, "older", page.Rows[0].ID, w.source.ID)
		equal(t, "more", page.Next, "")
		wantKind(t, w.DeleteSource(t.Context(), w.addProject(t), src.ID, system), relay.KindNotFound)
		check(t, w.DeleteSource(t.Context(), w.project, src.ID, system))
		wantKind(t, w.DeleteSource(t.Context(), w.project, src.ID, system), relay.KindNotFound)
	})
}

func TestEndpoints(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t, func(e *relay.Endpoint) {
			e.Name, e.Description, e.PauseReason = "Näme", "Text?", "Because"
			e.SourceIDs, e.EventFilter = []relay.ID{w.source.ID}, []string{"invoice.*", "?"}
			e.RateLimit, e.RateLimitDuration, e.MaxInFlight = 5, time.Second, 3
			e.Retry.Factor, e.Retry.MaxDelay = 1.5, 90*time.Minute
			e.Authentication = relay.Authentication{Type: relay.AuthBasic, BasicAuth: &relay.BasicAuthVerifier{Username: "u", Password: "p"}}
			e.Headers, e.SupportEmail = relay.Headers{{Name: "A", Value: "\xff"}, {Name: "A", Value: "2"}}, "a@b.c"
			e.Secrets = append(e.Secrets, relay.Secret{ID: relay.NewIDAt(w.Now()), Value: relay.NewSecret(), CreatedAt: w.Now(), ExpiresAt: w.Now()})
		})
		got, err := w.Endpoint(w.project, e.ID)
		check(t, err)
		if diff := cmp.Diff(*e, *got); diff != "" {
			t.Error(diff)
		}
		_, err = w.Endpoint(w.addProject(t), e.ID)
		wantKind(t, err, relay.KindNotFound)
		changed, err := w.UpdateEndpoint(t.Context(), w.project, e.ID, "endpoint.updated", system, func(e *relay.Endpoint) error {
			e.URL, e.SourceIDs, e.MaxInFlight = "https://example.org", nil, 0
			return nil
		})
		check(t, err)
		equal(t, "in force", w.Config().EndpointsOf(w.project)[0].URL, changed.URL)
		entries, err := w.AuditEntries(t.Context(), w.project, settings.AuditFilter{Action: "endpoint.updated"}, sqldb.Page{})
		check(t, err)
		if diff := cmp.Diff(map[string]any{"changed": []any{"url", "source_ids", "max_in_flight"}}, entries.Rows[0].Data); diff != "" {
			t.Error(diff)
		}
		foreign := w.addSource(t, w.addProject(t))
		_, err = w.UpdateEndpoint(t.Context(), w.project, e.ID, "endpoint.updated", system, func(e *relay.Endpoint) error {
			e.SourceIDs = []relay.ID{w.source.ID, foreign.ID}
			return nil
		})
		wantKind(t, err, relay.KindValidation)
		_, err = w.UpdateEndpoint(t.Context(), foreign.ProjectID, e.ID, "endpoint.updated", system, func(*relay.Endpoint) error { return nil })
		wantKind(t, err, relay.KindNotFound)
	})
}

func TestRotateSecret(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		values := []string{e.Secrets[0].Value}
		rotate := func(overlap time.Duration) *relay.Endpoint {
			t.Helper()
			now := w.Now()
			add := relay.Secret{ID: relay.NewIDAt(now), Value: relay.NewSecret(), CreatedAt: now}
			values = append(values, add.Value)
			e, err := w.RotateSecret(t.Context(), w.project, e.ID, add, now.Add(overlap), system)
			check(t, err)
			stored, err := w.Endpoint(w.project, e.ID)
			check(t, err)
			if diff := cmp.Diff(e, stored); diff != "" {
				t.Error(diff)
			}
			return e
		}
		live := func(e *relay.Endpoint) (out []string) {
			for _, s := range e.Secrets {
				out = append(out, s.Value)
			}
			return out
		}
		if got := live(rotate(time.Hour)); !slices.Equal(got, values) {
			t.Errorf("both: %v", got)
		}
		if got := live(rotate(24 * time.Hour)); !slices.Equal(got, values) {
			t.Errorf("three: %v", got)
		}
		w.clock.advance(2 * time.Hour)
		if got := live(rotate(time.Hour)); !slices.Equal(got, values[1:]) {
			t.Errorf("less the first, whose hour is over: %v", got)
		}
		if got := live(rotate(0)); !slices.Equal(got, values[len(values)-1:]) {
			t.Errorf("only the newest: %v", got)
		}
		equal(t, "secrets", number(t, w.Store, "SELECT count(*) FROM secrets"), 1)
		_, err := w.RotateSecret(t.Context(), w.addProject(t), e.ID, relay.Secret{}, w.Now(), system)
		wantKind(t, err, relay.KindNotFound)
	})
}

func TestDeleteEndpointDiscardsWhatWaits(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e, other := w.addEndpoint(t), w.addEndpoint(t)
		var wait sync.WaitGroup
		for range engine.DiscardRows + 50 {
			wait.Go(func() { w.receive(t, e, other) })
		}
		wait.Wait()
		done := claimFrom(t, w.Store, 1, e)[0]
		record(t, w.Store, outcome(w.Store, done, relay.DeliveryDelivered))
		sent := claimFrom(t, w.Store, 3, e)
		wantKind(t, w.DeleteEndpoint(t.Context(), w.addProject(t), e.ID, system), relay.KindNotFound)
		check(t, w.DeleteEndpoint(t.Context(), w.project, e.ID, system))
		wantKind(t, w.DeleteEndpoint(t.Context(), w.project, e.ID, system), relay.KindNotFound)
		equal(t, "deleted", w.Config().Deleted(e.ID), true)
		equal(t, "secrets left", number(t, w.Store, "SELECT count(*) FROM secrets"), 1)
		equal(t, "discarded", number(t, w.Store, "SELECT count(*) FROM deliveries WHERE status = 'discarded' AND endpoint_id = ?", e.ID), engine.DiscardRows+49)
		equal(t, "stale", record(t, w.Store, outcome(w.Store, sent[0], relay.DeliveryDelivered)), true)
		equal(t, "delivered before", w.delivery(t, done.DeliveryID).Status, relay.DeliveryDelivered)
		equal(t, "event", w.event(t, done.EventID).Status, relay.EventForwarding)
		for _, c := range claimFrom(t, w.Store, engine.DiscardRows+50, other) {
			w.Record(t.Context(), outcome(w.Store, c, relay.DeliveryDelivered), func(bool, error) {})
		}
		eventually(t, "every event is delivered", func() bool {
			return number(t, w.Store, "SELECT count(*) FROM events WHERE status = 'delivered'") == engine.DiscardRows+50
		})
	})
}

// TestDiscardDeletedAfterACrash deletes an endpoint as a process does that
// dies before it has discarded anything.
func TestDiscardDeletedAfterACrash(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e, other := w.addEndpoint(t), w.addEndpoint(t)
		for range 5 {
			w.receive(t, e, other)
		}
		claimFrom(t, w.Store, 2, e)
		check(t, w.ChangeConfig(t.Context(), relay.AuditEntry{}, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE endpoints SET deleted_at = 1 WHERE id = ?", e.ID)
			return err
		}))
		n, more, err := w.DiscardDeleted(t.Context(), never)
		check(t, err)
		equal(t, "discarded", n, 5)
		equal(t, "more", more, false)
		n, more, err = w.DiscardDeleted(t.Context(), never)
		check(t, err)
		equal(t, "discarded again", n, 0)
		equal(t, "more", more, false)
		equal(t, "waiting for the other", len(claimFrom(t, w.Store, 10, other)), 5)
	})
}
