package db

import (
	"testing"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
)

// TestCommitsWaitForTheDisk asks the databases whether a commit that is answered is
// on disk, also after commits that need not be, such as those of claims.
func TestCommitsWaitForTheDisk(t *testing.T) {
	t.Parallel()
	says := func(w *world, query string) (answer string) {
		t.Helper()
		check(t, w.W.DB.QueryRowContext(t.Context(), query).Scan(&answer))
		return answer
	}
	use := func(url string) *world {
		w := newWorld(t, url)
		e := w.addEndpoint(t)
		w.receive(t, e)
		equal(t, "claims", len(claimFrom(t, w.Store, 1, e)), 1)
		return w
	}
	t.Run("sqlite", func(t *testing.T) {
		w := use(sqliteURL(t))
		equal(t, "journal_mode", says(w, "PRAGMA journal_mode"), "wal")
		equal(t, "synchronous", says(w, "PRAGMA synchronous"), "2") // FULL
	})
	t.Run("postgres", func(t *testing.T) {
		server, err := dbtest.StartPostgres(dbtest.Durable)
		check(t, err)
		t.Cleanup(server.Stop)
		w := use(server.URL)
		equal(t, "synchronous_commit of pages", says(w, "SHOW synchronous_commit"), "on")
		for d, want := range map[sqldb.Durability]string{sqldb.Durable: "on", sqldb.Synced: "on", sqldb.Lazy: "off"} {
			var answer string
			check(t, w.Hot.(*sqldb.PGHot).PoolFor(d).QueryRow(t.Context(), "SHOW synchronous_commit").Scan(&answer))
			equal(t, "synchronous_commit", answer, want)
		}
	})
}
