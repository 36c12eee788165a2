package handlers

import (
	"bytes"
	"context"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

// slowPlanner is a store whose plans are never made before the answer.
func slowPlanner(t *testing.T, url string, now func() time.Time) *db.Store {
	t.Helper()
	store, err := db.Open(context.Background(), db.Options{URL: url, Key: bytes.Repeat([]byte{7}, 32), Migrate: true, Now: now, PlanAtOnce: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func neverEnough() bool { return false }

// TestReplayAnswersBeforeItIsPlanned: what takes long is planned after the answer,
// and the job says how far that is.
func TestReplayAnswersBeforeItIsPlanned(t *testing.T) {
	t.Parallel()
	url := "sqlite://" + filepath.Join(t.TempDir(), "planning.db")
	w := setup(t, func(o *Options) { o.Store = slowPlanner(t, url, o.Now) })
	w.past(3, `{"type":"order.paid"}`)
	w.endpointFor(object{"name": "One"})
	w.clock.advance(time.Minute)
	for _, dry := range []bool{true, false} {
		job := w.api("POST", "/api/v1/replays", object{"event_type": "order.paid", "dry_run": dry}).data(t, 202)
		id := job["id"].(string)
		if job["status"] != "planning" || job["plan"].(object)["events"] != 0.0 || job["started_at"] != nil {
			t.Fatalf("%v %v %v", job["status"], job["plan"], job["started_at"])
		}
		if rows := w.api("GET", "/api/v1/replays?status=planning", nil).rows(t); len(rows) != 1 || rows[0]["id"] != id {
			t.Errorf("jobs being planned: %v", rows)
		}
		for _, act := range []string{"start", "pause", "resume"} {
			w.api("POST", "/api/v1/replays/"+id+"/"+act, nil).problem(t, http.StatusConflict, relay.KindConflict)
		}
		parsed, err := relay.ParseID(relay.PrefixReplay, id)
		w.must(err)
		_, err = w.store.ContinuePlan(t.Context(), parsed, neverEnough)
		w.must(err)
		job = w.api("GET", "/api/v1/replays/"+id, nil).data(t, 200)
		if want := map[bool]string{true: "planned", false: "running"}[dry]; job["status"] != want || job["plan"].(object)["events"] != 3.0 {
			t.Errorf("%v, want it %s", job, want)
		}
	}
}

// TestReplayPageWhileItIsPlanned: the page counts up, and becomes that of the plan.
func TestReplayPageWhileItIsPlanned(t *testing.T) {
	t.Parallel()
	url := "sqlite://" + filepath.Join(t.TempDir(), "reprise.db")
	s := siteOn(t, url)
	s.settle()
	s.receive("shop", "", `{"type":"order.paid"}`)
	s.ahead.Store(int64(time.Minute))
	planner := slowPlanner(t, url, func() time.Time { return time.Now().Add(time.Minute) })
	b := s.loggedIn()
	for _, starts := range []bool{false, true} {
		job := relay.ReplayJob{ProjectID: s.project.ID, EndpointIDs: []relay.ID{s.endpoint.ID}, RateLimit: 50, Starts: starts}
		s.check(planner.PlanReplay(s.Context(), &job, s.actor))
		said := map[bool]string{false: "Nothing is sent before you start it", true: "It starts by itself"}[starts]
		b.get(replayPath(job.ID)).wants(http.StatusOK).says("planning", said, "Events so far", "Drop the plan").hides("Start 1 delivery")
		b.get("/replays").wants(http.StatusOK).says("planning")
		b.polled(replayPath(job.ID) + "?was=planning").wants(http.StatusOK).says("Events so far")
		_, err := planner.ContinuePlan(s.Context(), job.ID, neverEnough)
		s.check(err)
		b.header.Set("HX-Request", "true")
		p := b.get(replayPath(job.ID) + "?was=planning")
		b.header.Del("HX-Request")
		if p.StatusCode != http.StatusNoContent || p.Header.Get("HX-Redirect") != replayPath(job.ID) {
			t.Errorf("when it is planned: %d to %q", p.StatusCode, p.Header.Get("HX-Redirect"))
		}
	}
}

// TestReplayOfOneTypeSaysSo: the API can select just one type, which is no pattern.
// The page said nothing of it, and led to a plan of every event.
func TestReplayOfOneTypeSaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.receive("shop", "", `{"type":"order.paid"}`)
	b := s.loggedIn()
	for typ, again := range map[string]bool{"order.paid": true, "order.*": false} {
		job := relay.ReplayJob{ProjectID: s.project.ID, RateLimit: 50, Selection: relay.Selection{EventType: typ}}
		s.check(s.store.PlanReplay(s.Context(), &job, s.actor))
		_, err := s.store.CancelReplay(s.Context(), s.project.ID, job.ID, s.actor)
		s.check(err)
		p := b.get(replayPath(job.ID)).wants(http.StatusOK).says("Type", typ)
		if !again {
			p.hides("Plan again", "Plan the same again")
			continue
		}
		if got := b.get(p.toReplay()).wants(http.StatusOK).fieldsOf("/replays").Get("event_types"); got != typ {
			t.Errorf("planning the same again would select the types %q", got)
		}
	}
}
