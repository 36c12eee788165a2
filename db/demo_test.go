package db

import (
	"context"
	"testing"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// TestTheDemoTakesOnlyItsOwnDatabase: it changed endpoints that happened to have
// the names of its own, and migrated a database before it refused it.
func TestTheDemoTakesOnlyItsOwnDatabase(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		open := func(demo bool) (*Store, error) {
			return Open(t.Context(), Options{URL: url, Key: testKey, Migrate: true, Demo: demo})
		}
		fill := func(what func(w *world)) {
			t.Helper()
			s, err := open(false)
			check(t, err)
			w := &world{Store: s, url: url, clock: newClock()}
			project, err := s.DefaultProject(t.Context())
			check(t, err)
			w.project = project.ID
			what(w)
			check(t, s.Close())
		}
		for name, use := range map[string]struct {
			make func(w *world)
			undo string
		}{
			"a source": {func(w *world) { w.addSource(t, w.project) }, "DELETE FROM sources"},
			"a key": {func(w *world) {
				check(t, w.EnsureKey(t.Context(), &relay.APIKey{ID: relay.NewID(), ProjectID: w.project, Name: "k", Scope: relay.ScopeRead, Hash: []byte{1}}, system))
			}, "DELETE FROM api_keys"},
			"a person": {func(w *world) {
				check(t, w.CreateUser(t.Context(), w.user("ann@example.com"), []relay.ID{w.project}, system))
			}, "DELETE FROM users"},
			"a project": {func(w *world) { w.addProject(t) }, "DELETE FROM projects WHERE name <> 'Default'"},
		} {
			fill(func(w *world) {
				use.make(w)
				exec(t, w.Store, "DELETE FROM audit_log")
				exec(t, w.Store, "DELETE FROM schema_migrations WHERE name = '0008'")
			})
			_, err := open(true)
			if relay.KindOf(err) != relay.KindConflict {
				t.Fatalf("with %s: %v", name, err)
			}
			s, err := Open(t.Context(), Options{URL: url, Key: testKey})
			if err == nil {
				t.Errorf("with %s it was migrated before it was refused", name)
				check(t, s.Close())
			}
			fill(func(w *world) {
				for _, statement := range []string{use.undo, "DELETE FROM memberships", "DELETE FROM audit_log"} {
					exec(t, w.Store, statement)
				}
			})
		}
		s, err := open(true)
		check(t, err)
		w := &world{Store: s, url: url, clock: newClock()}
		project, err := s.DefaultProject(t.Context())
		check(t, err)
		w.project = project.ID
		w.addSource(t, w.project) // and then its filling is cut off
		check(t, s.Close())
		s, err = open(true)
		check(t, err)
		equal(t, "sources of the filling that was cut off", number(t, s, "SELECT count(*) FROM sources"), 0)
		ids := []relay.ID{relay.NewID(), relay.NewID()}
		check(t, s.DemoFilled(t.Context(), ids))
		check(t, s.write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO stats (project_id, kind, ref_id, minute, n) VALUES (?, 1, ?, 1, 1)", w.project, ids[0])
			return err
		}))
		check(t, s.Close())
		s, err = open(true)
		check(t, err)
		equal(t, "what is in it when it is full", number(t, s, "SELECT count(*) FROM stats"), 1)
		got, err := s.DemoEndpoints(t.Context())
		check(t, err)
		equal(t, "endpoints", len(got), 2)
		equal(t, "the second", got[1], ids[1])
		check(t, s.Close())
	})
}
