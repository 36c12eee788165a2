package db

import (
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

func TestRetryInPlace(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		in := w.receive(t, e)
		id := in.Deliveries[0].ID
		record(t, w.Store, outcome(w.Store, claimFrom(t, w.Store, 1, e)[0], relay.DeliveryDLQ))
		equal(t, "event", w.event(t, in.Event.ID).Status, relay.EventFailed)
		d, err := w.RetryDelivery(t.Context(), w.project, id, "webhook_delivery.retried", system)
		check(t, err)
		if d.Status != relay.DeliveryPending || d.Attempts != 0 || d.NextAttemptAt.IsZero() || d.Lane != relay.LaneRetry ||
			d.LastError != "" || d.LastResponseStatus != 0 || d.LastResponseExcerpt != "" || !d.DeliveredAt.IsZero() {
			t.Errorf("retried: %+v", d)
		}
		equal(t, "stored", w.delivery(t, id), d)
		equal(t, "event", w.event(t, in.Event.ID).Status, relay.EventForwarding)
		equal(t, "attempts kept", len(w.attempts(t, id)), 1)
		entries, err := w.AuditEntries(t.Context(), w.project, settings.AuditFilter{Action: "webhook_delivery.retried"}, sqldb.Page{})
		check(t, err)
		if len(entries.Rows) != 1 || entries.Rows[0].Data["endpoint_id"] != relay.PrefixEndpoint.Format(e.ID) ||
			entries.Rows[0].Data["event_type"] != "invoice.paid" || entries.Rows[0].Data["event_id"] != relay.PrefixEvent.Format(in.Event.ID) {
			t.Errorf("audit: %+v", entries.Rows)
		}
		record(t, w.Store, outcome(w.Store, claimFrom(t, w.Store, 1, e)[0], relay.DeliveryDelivered))
		equal(t, "status", w.delivery(t, id).Status, relay.DeliveryDelivered)
		_, err = w.RetryDelivery(t.Context(), w.project, id, "webhook_delivery.retried", system)
		check(t, err)
		equal(t, "delivered at", w.delivery(t, id).DeliveredAt, time.Time{})
	})
}

func TestRetryAndDiscardWhileInFlight(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		id := w.receive(t, e).Deliveries[0].ID
		old := claimFrom(t, w.Store, 1, e)[0]
		_, err := w.RetryDelivery(t.Context(), w.project, id, "webhook_delivery.retried", system)
		check(t, err)
		equal(t, "stale", record(t, w.Store, outcome(w.Store, old, relay.DeliveryDLQ)), true)
		equal(t, "status", w.delivery(t, id).Status, relay.DeliveryPending)
		old = claimFrom(t, w.Store, 1, e)[0]
		d, err := w.DiscardDelivery(t.Context(), w.project, id, "No longer wanted?", system)
		check(t, err)
		equal(t, "reason", d.DiscardReason, "No longer wanted?")
		equal(t, "stale", record(t, w.Store, outcome(w.Store, old, relay.DeliveryDelivered)), true)
		equal(t, "status", w.delivery(t, id).Status, relay.DeliveryDiscarded)
		equal(t, "event", w.event(t, d.EventID).Status, relay.EventReceived)
		equal(t, "claims", len(claimFrom(t, w.Store, 1, e)), 0)
		equal(t, "attempts kept", len(w.attempts(t, id)), 2)
		d, err = w.RetryDelivery(t.Context(), w.project, id, "webhook_delivery.retried", system)
		check(t, err)
		equal(t, "reason after a retry", d.DiscardReason, "")
	})
}

func TestDiscard(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		dead, done := w.receive(t, e).Deliveries[0].ID, w.receive(t, e).Deliveries[0].ID
		for _, c := range claimFrom(t, w.Store, 2, e) {
			status := relay.DeliveryDelivered
			if c.DeliveryID == dead {
				status = relay.DeliveryDLQ
			}
			record(t, w.Store, outcome(w.Store, c, status))
		}
		_, err := w.DiscardDelivery(t.Context(), w.project, done, "", system)
		wantKind(t, err, relay.KindConflict)
		_, err = w.DiscardDelivery(t.Context(), w.project, dead, "a customer is gone", system)
		check(t, err)
		equal(t, "audited with the reason", number(t, w.Store,
			"SELECT count(*) FROM audit_log WHERE action = 'webhook_delivery.discarded' AND data LIKE '%a customer is gone%'"), 1)
		_, err = w.DiscardDelivery(t.Context(), w.project, dead, "", system)
		wantKind(t, err, relay.KindConflict)
		letters, err := w.Deliveries(t.Context(), w.project, lists.DeliveryFilter{Status: relay.DeliveryDLQ, NewestOnly: true}, sqldb.Page{})
		check(t, err)
		equal(t, "dead letters", len(letters.Rows), 0)
	})
}

func TestDeliveriesOfOthersAreNotFound(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		id := w.receive(t, w.addEndpoint(t)).Deliveries[0].ID
		other := w.addProject(t)
		for _, foreign := range []struct{ project, id relay.ID }{{other, id}, {w.project, relay.NewID()}, {w.project, relay.ID{}}} {
			_, err := w.Delivery(t.Context(), foreign.project, foreign.id)
			wantKind(t, err, relay.KindNotFound)
			_, err = w.RetryDelivery(t.Context(), foreign.project, foreign.id, "webhook_delivery.retried", system)
			wantKind(t, err, relay.KindNotFound)
			_, err = w.DiscardDelivery(t.Context(), foreign.project, foreign.id, "", system)
			wantKind(t, err, relay.KindNotFound)
			_, err = w.ReplayDelivery(t.Context(), foreign.project, foreign.id, system, unlimited)
			wantKind(t, err, relay.KindNotFound)
		}
	})
}

func TestRetryNeedsItsEndpoint(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		id := w.receive(t, e).Deliveries[0].ID
		check(t, w.DeleteEndpoint(t.Context(), w.project, e.ID, system))
		_, err := w.RetryDelivery(t.Context(), w.project, id, "webhook_delivery.retried", system)
		wantKind(t, err, relay.KindConflict)
		_, err = w.ReplayDelivery(t.Context(), w.project, id, system, unlimited)
		wantKind(t, err, relay.KindConflict)
	})
}
