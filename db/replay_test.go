package db

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// dump is every row of a table as text, less some columns.
func (w *world) dump(t *testing.T, table string, except ...string) []string {
	t.Helper()
	rows, err := w.R.DB.QueryContext(t.Context(), "SELECT * FROM "+table)
	check(t, err)
	defer rows.Close()
	names, err := rows.Columns()
	check(t, err)
	var out []string
	for rows.Next() {
		values, into := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		check(t, rows.Scan(into...))
		var line strings.Builder
		for i, name := range names {
			if !slices.Contains(except, name) {
				fmt.Fprintf(&line, "%s=%x ", name, values[i])
			}
		}
		out = append(out, line.String())
	}
	check(t, rows.Err())
	slices.Sort(out)
	return out
}

func TestReplayChangesNothingThatWas(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, b := w.addEndpoint(t), w.addEndpoint(t)
		in := w.receive(t, a, b)
		for _, c := range claimFrom(t, w.Store, 1, a, b) {
			record(t, w.Store, outcome(w.Store, c, relay.DeliveryDLQ))
		}
		events, payloads := w.dump(t, "events", "status"), w.dump(t, "payloads")
		deliveries, attempts := w.dump(t, "deliveries", "replayed_by"), w.dump(t, "attempts")
		made, err := w.ReplayEvent(t.Context(), w.project, in.Event.ID, nil, system)
		check(t, err)
		equal(t, "replays", len(made), 2)
		if diff := cmp.Diff(events, w.dump(t, "events", "status")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(payloads, w.dump(t, "payloads")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(attempts, w.dump(t, "attempts")); diff != "" {
			t.Error(diff)
		}
		after := w.dump(t, "deliveries", "replayed_by")
		equal(t, "deliveries", len(after), 4)
		for _, row := range deliveries {
			if !slices.Contains(after, row) {
				t.Errorf("gone or changed: %s", row)
			}
		}
		equal(t, "event", w.event(t, in.Event.ID).Status, relay.EventForwarding)
		for _, d := range made {
			old := in.Deliveries[0]
			if d.EndpointID == b.ID {
				old = in.Deliveries[1]
			}
			want := relay.Delivery{ID: d.ID, ProjectID: w.project, EventID: in.Event.ID, EndpointID: old.EndpointID, SourceID: w.source.ID,
				EventType: in.Event.EventType, Status: relay.DeliveryPending, Lane: relay.LaneReplay, NextAttemptAt: d.NextAttemptAt,
				Trigger: relay.TriggerReplay, ReplayOf: old.ID, CreatedAt: d.CreatedAt}
			if diff := cmp.Diff(want, w.delivery(t, d.ID)); diff != "" || d.NextAttemptAt.IsZero() {
				t.Error(diff)
			}
			equal(t, "replayed by", w.delivery(t, old.ID).ReplayedBy, d.ID)
		}
		for _, c := range claimFrom(t, w.Store, 1, a, b) {
			record(t, w.Store, outcome(w.Store, c, relay.DeliveryDelivered))
		}
		equal(t, "event", w.event(t, in.Event.ID).Status, relay.EventDelivered)
		entries, err := w.AuditEntries(t.Context(), w.project, settings.AuditFilter{Action: "event.replayed"}, sqldb.Page{})
		check(t, err)
		equal(t, "audit entries", len(entries.Rows), 1)
	})
}

func TestReplayOfReplays(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		first := w.receive(t, e).Deliveries[0]
		second, err := w.ReplayDelivery(t.Context(), w.project, first.ID, system, unlimited)
		check(t, err)
		third, err := w.ReplayDelivery(t.Context(), w.project, first.ID, system, unlimited)
		check(t, err)
		equal(t, "replay of", third.ReplayOf, first.ID)
		equal(t, "first replayed by", w.delivery(t, first.ID).ReplayedBy, second.ID)
		equal(t, "second replayed by", w.delivery(t, second.ID).ReplayedBy, third.ID)
		w.clock.advance(-time.Hour)
		fourth, err := w.ReplayDelivery(t.Context(), w.project, third.ID, system, unlimited)
		check(t, err)
		equal(t, "after the clock went back, newer", bytes.Compare(fourth.ID[:], third.ID[:]), 1)
		var wait sync.WaitGroup
		for range 20 {
			wait.Go(func() {
				if _, err := w.ReplayEvent(t.Context(), w.project, first.EventID, []relay.ID{e.ID, e.ID}, system); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		equal(t, "deliveries", number(t, w.Store, "SELECT count(*) FROM deliveries"), 24)
		equal(t, "newest", number(t, w.Store, "SELECT count(*) FROM deliveries WHERE replayed_by IS NULL"), 1)
		var newest []relay.ID
		check(t, w.R.NewSelect().Table("deliveries").Column("id").Order("id DESC").Limit(1).Scan(t.Context(), &newest))
		equal(t, "the newest by id", w.delivery(t, newest[0]).ReplayedBy, relay.ID{})
	})
}

func TestReplayOfUnmatchedEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		in := w.receive(t)
		equal(t, "event", w.event(t, in.Event.ID).Status, relay.EventUnmatched)
		made, err := w.ReplayEvent(t.Context(), w.project, in.Event.ID, nil, system)
		check(t, err)
		equal(t, "replays to nobody", len(made), 0)
		equal(t, "event", w.event(t, in.Event.ID).Status, relay.EventUnmatched)
		var wait sync.WaitGroup
		e := w.addEndpoint(t)
		for range 10 {
			wait.Go(func() {
				if _, err := w.ReplayEvent(t.Context(), w.project, in.Event.ID, nil, system); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		equal(t, "event", w.event(t, in.Event.ID).Status, relay.EventForwarding)
		equal(t, "newest", number(t, w.Store, "SELECT count(*) FROM deliveries WHERE replayed_by IS NULL AND endpoint_id = ?", e.ID), 1)
	})
}

func TestReplayTargets(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		other := w.addSource(t, w.project)
		match := w.addEndpoint(t)
		paused := w.addEndpoint(t, func(e *relay.Endpoint) { e.Status = relay.EndpointPaused })
		filtered := w.addEndpoint(t, func(e *relay.Endpoint) { e.EventFilter = []string{"customer.*"} })
		disabled := w.addEndpoint(t, func(e *relay.Endpoint) { e.Status = relay.EndpointDisabled })
		unsubscribed := w.addEndpoint(t, func(e *relay.Endpoint) { e.SourceIDs = []relay.ID{other.ID} })
		foreignWorld := *w
		foreignWorld.project = w.addProject(t)
		foreign := foreignWorld.addEndpoint(t)
		in := w.receive(t)
		made, err := w.ReplayEvent(t.Context(), w.project, in.Event.ID, nil, system)
		check(t, err)
		var got []relay.ID
		for _, d := range made {
			got = append(got, d.EndpointID)
		}
		if !slices.Equal(got, []relay.ID{match.ID, paused.ID}) {
			t.Errorf("matching: %v", got)
		}
		made, err = w.ReplayEvent(t.Context(), w.project, in.Event.ID, []relay.ID{filtered.ID}, system)
		check(t, err)
		equal(t, "named whatever its filter", len(made), 1)
		before := number(t, w.Store, "SELECT count(*) FROM deliveries")
		for _, bad := range []relay.ID{disabled.ID, unsubscribed.ID, foreign.ID, relay.NewID()} {
			_, err := w.ReplayEvent(t.Context(), w.project, in.Event.ID, []relay.ID{match.ID, bad}, system)
			wantKind(t, err, relay.KindValidation)
			if err != nil && !strings.Contains(err.Error(), relay.PrefixEndpoint.Format(bad)) {
				t.Errorf("%v does not name %s", err, bad)
			}
		}
		equal(t, "deliveries", number(t, w.Store, "SELECT count(*) FROM deliveries"), before)
		_, err = w.ReplayEvent(t.Context(), foreignWorld.project, in.Event.ID, nil, system)
		wantKind(t, err, relay.KindNotFound)
	})
}

func TestNotReplayable(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e := w.addEndpoint(t)
		rejected := w.reception(e)
		rejected.Event.Status, rejected.Event.SignatureValid, rejected.Event.Verdict = relay.EventRejected, false, relay.VerdictBadSignature
		_, err := w.Receive(t.Context(), rejected)
		check(t, err)
		_, err = w.Receive(t.Context(), w.keyed("k", e))
		check(t, err)
		duplicate, err := w.Receive(t.Context(), w.keyed("k", e))
		check(t, err)
		for _, id := range []relay.ID{rejected.Event.ID, duplicate.ID} {
			_, err := w.ReplayEvent(t.Context(), w.project, id, nil, system)
			wantKind(t, err, relay.KindNotReplayable)
			_, err = w.ReplayEvent(t.Context(), w.project, id, []relay.ID{e.ID}, system)
			wantKind(t, err, relay.KindNotReplayable)
		}
		equal(t, "rejected", w.event(t, rejected.Event.ID).Status, relay.EventRejected)
	})
}

func TestReplayFailed(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		e, other := w.addEndpoint(t), w.addEndpoint(t)
		var dead []relay.ID
		for range 5 {
			in := w.receive(t, e, other)
			dead = append(dead, in.Deliveries[0].ID)
			w.clock.advance(time.Minute)
		}
		for _, c := range claimFrom(t, w.Store, 5, e, other) {
			record(t, w.Store, outcome(w.Store, c, relay.DeliveryDLQ))
		}
		made, err := w.ReplayFailed(t.Context(), w.project, e.ID, time.Time{}, 2, system, unlimited)
		check(t, err)
		equal(t, "replayed", len(made), 2)
		equal(t, "oldest", made[0].ReplayOf, dead[0])
		equal(t, "next", made[1].ReplayOf, dead[1])
		made, err = w.ReplayFailed(t.Context(), w.project, e.ID, w.delivery(t, dead[3]).CreatedAt, 100, system, unlimited)
		check(t, err)
		equal(t, "replayed since", len(made), 2)
		made, err = w.ReplayFailed(t.Context(), w.project, e.ID, time.Time{}, 100, system, unlimited)
		check(t, err)
		equal(t, "the rest", len(made), 1)
		made, err = w.ReplayFailed(t.Context(), w.project, e.ID, time.Time{}, 100, system, unlimited)
		check(t, err)
		equal(t, "nothing left", len(made), 0)
		counts, err := w.DeadByEndpoint(t.Context(), w.project)
		check(t, err)
		equal(t, "dead letters of the other", counts[other.ID], 5)
		equal(t, "dead letters", counts[e.ID], 0)
	})
}
