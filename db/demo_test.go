package db

import (
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

// TestTheDemoTakesOnlyItsOwnDatabase: it changed endpoints that happened to have
// the names of its own.
func TestTheDemoTakesOnlyItsOwnDatabase(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		store := openStore(t, Options{URL: url, Migrate: true})
		for i, want := range []bool{true, false, false} {
			fresh, err := store.ClaimDemo(t.Context())
			check(t, err)
			equal(t, "fresh", fresh, want)
			if i == 1 {
				w := &world{Store: store, url: url, clock: newClock()}
				w.project = w.addProject(t)
				w.addSource(t, w.project)
			}
		}
		exec(t, store, "DELETE FROM meta WHERE name = 'demo'") // as if people had made that
		_, err := store.ClaimDemo(t.Context())
		wantKind(t, err, relay.KindConflict)
	})
}
