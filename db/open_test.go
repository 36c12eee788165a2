package db

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// onBothURLs is onBoth for tests that open their stores themselves.
func onBothURLs(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, sqliteURL(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, dbtest.Postgres(t))
	})
}

func tryOpen(t *testing.T, o sqldb.Options) error {
	t.Helper()
	if o.Key == nil {
		o.Key = testKey
	}
	s, err := Open(t.Context(), o)
	if err == nil {
		check(t, s.Close())
	}
	return err
}

func TestOpenRefusesUnknownURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "mysql://x", "reprise.db", "sqlite://"} {
		if tryOpen(t, sqldb.Options{URL: url, Migrate: true}) == nil {
			t.Errorf("%q was opened", url)
		}
	}
	if tryOpen(t, sqldb.Options{URL: sqliteURL(t), Key: []byte("short"), Migrate: true}) == nil {
		t.Error("a short key was taken")
	}
}

func TestOpenChecksTheSchema(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		if err := tryOpen(t, sqldb.Options{URL: url}); !errors.Is(err, sqldb.ErrOutdated) {
			t.Errorf("an empty database: %v", err)
		}
		check(t, tryOpen(t, sqldb.Options{URL: url, Migrate: true}))
		check(t, tryOpen(t, sqldb.Options{URL: url}))
		s := openStore(t, sqldb.Options{URL: url})
		exec(t, s, "INSERT INTO schema_migrations (name, group_id, migrated_at) VALUES ('0999', 9, ?)", time.Now())
		for _, migrate := range []bool{true, false} {
			var unknown *sqldb.SchemaError
			if err := tryOpen(t, sqldb.Options{URL: url, Migrate: migrate}); !errors.As(err, &unknown) || len(unknown.Unknown) != 1 || unknown.Unknown[0] != "0999" {
				t.Errorf("a newer schema: %v", err)
			}
		}
	})
}

func TestOpenMigratesOnce(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		var wait sync.WaitGroup
		for range 6 {
			wait.Go(func() {
				if err := tryOpen(t, sqldb.Options{URL: url, Migrate: true}); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		equal(t, "steps", number(t, openStore(t, sqldb.Options{URL: url}), "SELECT count(*) FROM schema_migrations"), len(sqldb.Migrations().Sorted()))
	})
}

func TestOpenRefusesAnotherKey(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		check(t, tryOpen(t, sqldb.Options{URL: url, Migrate: true}))
		if err := tryOpen(t, sqldb.Options{URL: url, Key: bytes.Repeat([]byte{8}, 32)}); !errors.Is(err, sqldb.ErrWrongKey) {
			t.Errorf("another key: %v", err)
		}
		check(t, tryOpen(t, sqldb.Options{URL: url}))
	})
}

func TestSealedValuesBelongToTheirRow(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		a, b := w.addEndpoint(t), w.addEndpoint(t)
		exec(t, w.Store, "UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE endpoint_id = ?) WHERE endpoint_id = ?", a.ID, b.ID)
		check(t, w.ReloadConfig(t.Context()))
		got, err := w.Endpoint(w.project, b.ID)
		check(t, err)
		if len(got.Secrets) > 0 || got.Status != relay.EndpointPaused {
			t.Errorf("a secret copied from another row was opened: %+v", got)
		}
	})
}

// TestSecretsAreNotOnDisk looks for planted secrets in every file of the
// database.
func TestSecretsAreNotOnDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteURL(t))
	const planted = "canary-4f1c"
	src := w.addSource(t, w.project)
	_, err := w.UpdateSource(t.Context(), w.project, src.ID, system, func(s *relay.Source) error {
		s.Verifier = relay.Verifier{Type: "stripe", Secret: planted, HMAC: &relay.HMACVerifier{Secret: planted},
			BasicAuth: &relay.BasicAuthVerifier{Password: planted}, APIKey: &relay.APIKeyVerifier{HeaderValue: planted}}
		return nil
	})
	check(t, err)
	e := w.addEndpoint(t, func(e *relay.Endpoint) {
		e.Secrets[0].Value = planted
		e.Authentication = relay.Authentication{Type: relay.AuthBearer, Bearer: &relay.BearerAuth{Token: planted}}
		e.Headers, e.SlackWebhookURL = relay.Headers{{Name: "X-Token", Value: planted}}, "https://hooks.slack.com/"+planted
	})
	got, err := w.Endpoint(w.project, e.ID)
	check(t, err)
	if got.Secrets[0].Value != planted || got.Authentication.Bearer.Token != planted || got.Headers[0].Value != planted ||
		!strings.HasSuffix(got.SlackWebhookURL, planted) {
		t.Errorf("not read back: %+v", got)
	}
	_, err = w.BeginIdempotent(t.Context(), w.project, "k", []byte("h"))
	check(t, err)
	check(t, w.FinishIdempotent(t.Context(), w.project, "k", settings.StoredResponse{Status: 201, Body: []byte(planted)}))
	check(t, w.Close())
	files, err := filepath.Glob(strings.TrimPrefix(w.url, "sqlite://") + "*")
	check(t, err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		check(t, err)
		if bytes.Contains(content, []byte(planted)) {
			t.Errorf("%s holds a secret", filepath.Base(file))
		}
	}
}

func TestOneServerForASQLiteFile(t *testing.T) {
	t.Parallel()
	path := sqliteURL(t)
	server, err := Open(t.Context(), sqldb.Options{URL: path, Key: testKey, Migrate: true, Exclusive: true})
	check(t, err)
	if err := tryOpen(t, sqldb.Options{URL: path, Exclusive: true, Migrate: true}); !errors.Is(err, sqldb.ErrInUse) {
		t.Errorf("a second server: %v", err)
	}
	command := openStore(t, sqldb.Options{URL: path})
	w := &world{Store: command, url: path, clock: newClock()}
	w.project = w.addProject(t)
	src := w.addSource(t, w.project)
	eventually(t, "the server sees the command's source", func() bool { _, ok := server.Config().SourceBySlug(src.Slug); return ok })
	check(t, server.DeleteSource(t.Context(), w.project, src.ID, system))
	eventually(t, "the command sees that the server deleted it", func() bool { _, ok := command.Config().Source(src.ID); return !ok })

	waiting := make(chan error, 1)
	go func() { waiting <- tryOpen(t, sqldb.Options{URL: path, Exclusive: true, LockWait: 10 * time.Second}) }()
	check(t, server.Close())
	check(t, <-waiting)
}

func TestConfigOfTwoProcesses(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		other := w.beside(t)
		e := w.addEndpoint(t)
		eventually(t, "the other process sees the endpoint", func() bool { _, ok := other.Config().Endpoint(e.ID); return ok })
		_, err := other.UpdateEndpoint(t.Context(), w.project, e.ID, "endpoint.paused", system, func(e *relay.Endpoint) error {
			e.Status = relay.EndpointPaused
			return nil
		})
		check(t, err)
		equal(t, "seen at once where it was made", other.Config().EndpointsOf(w.project)[0].Status, relay.EndpointPaused)
		eventually(t, "seen by the other", func() bool {
			e, ok := w.Config().Endpoint(e.ID)
			return ok && e.Status == relay.EndpointPaused
		})
	})
}

func TestRelativePaths(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	check(t, tryOpen(t, sqldb.Options{URL: "sqlite://data/a b?.db", Migrate: true}))
	if _, err := os.Stat(filepath.Join(dir, "data", "a b?.db")); err != nil {
		t.Error(err)
	}
}

func TestSQLiteLockedByAnotherProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteURL(t))
	in := w.reception(w.addEndpoint(t))
	other, err := (&sqldb.Options{}).OpenPool(strings.TrimPrefix(w.url, "sqlite://"), 1, "_txlock=immediate")
	check(t, err)
	defer func() { _ = other.Close() }()
	tx, err := other.BeginTx(t.Context(), nil)
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // SQLite itself waits for 5 s
	defer cancel()
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			_, err := w.Receive(ctx, w.reception())
			wantKind(t, err, relay.KindUnavailable)
		})
	}
	all.Wait()
	check(t, ctx.Err())
	check(t, tx.Rollback())
	_, err = w.Receive(t.Context(), in)
	check(t, err)
}

func TestPostgresAway(t *testing.T) {
	t.Parallel()
	server, err := dbtest.StartPostgres(dbtest.Throwaway)
	check(t, err)
	stopped := false
	t.Cleanup(func() {
		if !stopped {
			server.Stop()
		}
	})
	proxy := newSwitch(t, server.URL)
	w := newWorld(t, proxy.url)
	e := w.addEndpoint(t)
	w.receive(t, e)
	proxy.off()
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := w.Receive(ctx, w.reception(e))
		wantKind(t, err, relay.KindUnavailable)
		check(t, ctx.Err())
		cancel()
	}
	_, err = w.Events(t.Context(), w.project, lists.EventFilter{}, sqldb.Page{})
	wantKind(t, err, relay.KindUnavailable)
	wantKind(t, w.Ping(t.Context()), relay.KindUnavailable)
	proxy.on(t)
	eventually(t, "events are stored again", func() bool {
		_, err := w.Receive(t.Context(), w.reception(e))
		return err == nil
	})
	server.Stop()
	stopped = true
	_, err = w.Receive(t.Context(), w.reception(e))
	wantKind(t, err, relay.KindUnavailable)
}

func TestPostgresRestarted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.Postgres(t))
	e := w.addEndpoint(t)
	w.receive(t, e)
	u, err := url.Parse(w.url)
	check(t, err)
	// What a restart does to connections, without stopping the shared server.
	check(t, w.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ? AND pid <> pg_backend_pid()", u.Path[1:])
		return err
	}))
	eventually(t, "events are stored again", func() bool {
		_, err := w.Receive(t.Context(), w.reception(e))
		return err == nil
	})
	claimFrom(t, w.Store, 1, e)
}

// TestADatabaseThatHangsIsNotWaitedFor locks what receiving writes. Requests are
// refused in time; those whose commit had not begun are not kept, and what was
// made in flight by one that had is due.
func TestADatabaseThatHangsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.Postgres(t))
	e := w.addEndpoint(t)
	tx, err := w.W.BeginTx(t.Context(), nil)
	check(t, err)
	_, err = tx.ExecContext(t.Context(), "LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
	check(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // a commit is tried for 6 s
	defer cancel()
	lease := &engine.Lease{Owner: 7, Until: w.Now().Add(time.Hour)}
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			in := w.reception(e)
			in.Deliveries[0].InFlight, in.Lease = true, lease
			_, err := w.Receive(ctx, in)
			wantKind(t, err, relay.KindUnavailable)
		})
	}
	all.Wait()
	check(t, ctx.Err())
	check(t, tx.Rollback())
	w.receive(t, e)
	kept := 0
	eventually(t, "what was kept is due", func() bool {
		var leased int
		check(t, w.R.NewSelect().TableExpr("deliveries").ColumnExpr("count(*), count(lease_until)").Scan(t.Context(), &kept, &leased))
		return leased == 0
	})
	if kept > 2*sqldb.CommitRows+1 {
		t.Errorf("%d are kept of 1000 that were refused", kept-1)
	}
}

// TestTheDatabasesClockCounts opens a store where the clock is 20 s slow: a lease
// that it makes, and one that it judges, are by the time of the server.
func TestTheDatabasesClockCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.Postgres(t))
	slow := openStore(t, sqldb.Options{URL: w.url, ClockError: -20 * time.Second})
	if off := slow.ClockOffset(); (off - 20*time.Second).Abs() > time.Second {
		t.Errorf("it is off by %s", off)
	}
	if off := time.Since(slow.Now()); off.Abs() > time.Second {
		t.Errorf("its time is %s old", off)
	}
}

// TestAPoolerIsRefusedAtStart goes through something that takes no settings of a
// session, as PgBouncer does that is told to ignore them: it started, said that it
// was ready, and answered 500 on writes.
func TestAPoolerIsRefusedAtStart(t *testing.T) {
	t.Parallel()
	pooler := newSwitch(t, dbtest.Postgres(t), func(b []byte) []byte {
		return bytes.Replace(b, []byte("enable_seqscan\x00off\x00"), []byte("enable_seqscan\x00yes\x00"), 1)
	})
	if err := tryOpen(t, sqldb.Options{URL: pooler.url, Migrate: true}); !errors.Is(err, sqldb.ErrPooler) {
		t.Errorf("a pooler that ignores settings: %v", err)
	}
	if err := sqldb.ThroughPooler(errors.New("FATAL: unsupported startup parameter: jit (SQLSTATE 08P01)")); !errors.Is(err, sqldb.ErrPooler) {
		t.Errorf("one that refuses them: %v", err)
	}
}
