package db

import (
	"testing"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// demoWorld opens a database as a program does that serves, with --demo or without.
func demoWorld(t *testing.T, url string, demo bool) *world {
	t.Helper()
	s, err := Open(t.Context(), sqldb.Options{URL: url, Key: testKey, Migrate: true, Exclusive: true, Demo: demo})
	check(t, err)
	project, err := s.DefaultProject(t.Context())
	check(t, err)
	return &world{Store: s, url: url, clock: newClock(), project: project.ID}
}

// TestTheDemoTakesOnlyItsOwnDatabase: it changed endpoints that happened to have
// the names of its own, and migrated a database before it refused it.
func TestTheDemoTakesOnlyItsOwnDatabase(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		for name, use := range map[string]struct {
			make func(w *world)
			undo string
		}{
			"a source":    {func(w *world) { w.addSource(t, w.project) }, "DELETE FROM sources"},
			"an endpoint": {func(w *world) { w.addEndpoint(t) }, "DELETE FROM endpoints"},
			"a key": {func(w *world) {
				check(t, w.EnsureKey(t.Context(), &relay.APIKey{ID: relay.NewID(), ProjectID: w.project, Name: "k", Scope: relay.ScopeRead, Hash: []byte{1}}, system))
			}, "DELETE FROM api_keys"},
			"a person": {func(w *world) {
				check(t, w.CreateUser(t.Context(), w.user("ann@example.com"), []relay.ID{w.project}, system))
			}, "DELETE FROM users"},
			"a project": {func(w *world) { w.addProject(t) }, "DELETE FROM projects WHERE name <> 'Default'"},
		} {
			w := demoWorld(t, url, false)
			use.make(w)
			exec(t, w.Store, "DELETE FROM schema_migrations WHERE name = '0008'")
			check(t, w.Close())
			err := tryOpen(t, sqldb.Options{URL: url, Migrate: true, Demo: true})
			if relay.KindOf(err) != relay.KindConflict {
				t.Fatalf("with %s: %v", name, err)
			}
			if err := tryOpen(t, sqldb.Options{URL: url}); err == nil {
				t.Errorf("with %s it was migrated before it was refused", name)
			}
			w = demoWorld(t, url, false)
			exec(t, w.Store, use.undo)
			check(t, w.Close())
		}
		w := demoWorld(t, url, true) // that it was served before is no use of it
		check(t, w.Close())
	})
}

// TestTheDemoBeginsAnewUntilItIsFull clears what a filling left that was cut off,
// and nothing after one that was not.
func TestTheDemoBeginsAnewUntilItIsFull(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		w := demoWorld(t, url, true)
		w.addSource(t, w.project) // and then its filling is cut off
		check(t, w.Close())
		w = demoWorld(t, url, true)
		equal(t, "sources of the filling that was cut off", number(t, w.Store, "SELECT count(*) FROM sources"), 0)
		ids := []relay.ID{relay.NewID(), relay.NewID()}
		w.addSource(t, w.project)
		check(t, w.DemoFilled(t.Context(), ids))
		check(t, w.Close())
		w = demoWorld(t, url, false) // a look at it without --demo changes nothing
		check(t, w.Close())
		w = demoWorld(t, url, true)
		equal(t, "sources when it is full", number(t, w.Store, "SELECT count(*) FROM sources"), 1)
		got, err := w.DemoEndpoints(t.Context())
		check(t, err)
		equal(t, "endpoints", len(got), 2)
		equal(t, "the second", got[1], ids[1])
		check(t, w.Close())
	})
}

// TestTheDemoClearsNothingOfOthers: who went on with a database whose filling was
// cut off lost everything at the next start with --demo.
func TestTheDemoClearsNothingOfOthers(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		w := demoWorld(t, url, true)
		check(t, w.Close())
		w = demoWorld(t, url, false)
		w.addSource(t, w.project)
		check(t, w.Close())
		if err := tryOpen(t, sqldb.Options{URL: url, Migrate: true, Demo: true}); relay.KindOf(err) != relay.KindConflict {
			t.Fatalf("it was taken: %v", err)
		}
		w = demoWorld(t, url, false)
		equal(t, "sources", number(t, w.Store, "SELECT count(*) FROM sources"), 1)
		check(t, w.Close())
	})
}
