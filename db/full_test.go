package db

import (
	"bytes"
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

// TestAFullDisk lets a database refuse what needs room. What is refused is not kept,
// what is there can be read, and when there is room again everything goes on.
func TestAFullDisk(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		kept := w.receive(t, e)
		claim := claimFrom(t, w.Store, 1, e)[0]
		room := w.fillDisk(t)
		for range 3 {
			in := w.reception(e)
			in.Payload.Body = bytes.Repeat([]byte("x"), 1<<20)
			_, err := w.Receive(t.Context(), in)
			wantKind(t, err, relay.KindUnavailable)
		}
		result := outcome(w.Store, claim, relay.DeliveryDelivered)
		result.Attempt.ResponseBody = bytes.Repeat([]byte("x"), 16<<10)
		done := make(chan error, 1)
		w.Record(t.Context(), result, func(_ bool, err error) { done <- err })
		wantKind(t, <-done, relay.KindUnavailable)
		equal(t, "the event can be read", w.event(t, kept.Event.ID).Status, relay.EventForwarding)
		equal(t, "the delivery is in the same hands", w.delivery(t, claim.DeliveryID).InFlight, true)

		room()
		equal(t, "superseded", record(t, w.Store, result), false)
		equal(t, "the event in the end", w.event(t, kept.Event.ID).Status, relay.EventDelivered)
		w.receive(t, e)
		equal(t, "events", number(t, w.Store, "SELECT count(*) FROM events"), 2)
		equal(t, "deliveries", number(t, w.Store, "SELECT count(*) FROM deliveries"), 2)
		equal(t, "attempts", number(t, w.Store, "SELECT count(*) FROM attempts"), 1)
	})
}

// fillDisk leaves a database no room until room is called: SQLite by a bound of its own,
// PostgreSQL by the error that it answers with.
func (w *world) fillDisk(t *testing.T) (room func()) {
	t.Helper()
	run := func(query string) {
		t.Helper()
		_, err := w.W.DB.ExecContext(t.Context(), query)
		check(t, err)
	}
	if !w.PG {
		run("PRAGMA max_page_count = 1") // not below what there is
		return func() { run("PRAGMA max_page_count = 1000000") }
	}
	run(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
		$$BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END$$`)
	run("CREATE TRIGGER refuse BEFORE INSERT ON events EXECUTE FUNCTION refuse()")
	run("CREATE TRIGGER refuse BEFORE INSERT ON attempts EXECUTE FUNCTION refuse()")
	return func() { run("DROP FUNCTION refuse CASCADE") }
}
