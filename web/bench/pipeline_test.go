package main

import (
	"context"
	"database/sql"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx

	"github.com/reprise-dev/reprise/db/dbtest"
)

// startBare serves a pipeline in this process until the test ends.
func startBare(t *testing.T, store pipelineStore, receiver, redis string) (ingest string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := newPipeline(store, "http://"+receiver+"/hook")
	stop := func() {}
	if redis != "" {
		if stop, err = p.throughAsynq(redis); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- p.serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String() + "/"
}

func TestPipeline(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) (store pipelineStore, driver, database, redis string){
		"SQLite": func(t *testing.T) (pipelineStore, string, string, string) {
			file := filepath.Join(t.TempDir(), "pipeline.db")
			store, err := openPipelineSQLite(t.Context(), file)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(store.close)
			return store, "sqlite", file, ""
		},
		"PostgreSQL": func(t *testing.T) (pipelineStore, string, string, string) {
			store, url := barePostgres(t)
			return store, "pgx", url, ""
		},
		"PostgreSQL and asynq": func(t *testing.T) (pipelineStore, string, string, string) {
			store, url := barePostgres(t)
			return store, "pgx", url, dbtest.Redis(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, driver, database, redis := open(t)
			b := setup(t, &fakeGateway{})
			sent, got, err := b.deliver(t.Context(), loadJob{
				URL: startBare(t, store, b.receiver, redis), Events: 500, Connections: 8,
			})
			if err != nil {
				t.Fatal(err)
			}
			if o := outcomeOf(sent, got); o.Accepted != 500 || o.Lost != 0 || o.Repeated != 0 || o.Altered != 0 {
				t.Errorf("%+v", o)
			}
			db, err := sql.Open(driver, database)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			await(t, db, 500, "SELECT count(*) FROM attempts WHERE status = 200")
			await(t, db, 500, "SELECT count(*) FROM deliveries WHERE delivered = (1 = 1)")
			await(t, db, 500, "SELECT count(*) FROM events WHERE length(body) = 2000")
		})
	}
}

func barePostgres(t *testing.T) (*pipelinePostgres, string) {
	t.Helper()
	url := dbtest.Postgres(t)
	store, err := openPipelinePostgres(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.close)
	return store, url
}

// await waits for a count.
func await(t *testing.T, db *sql.DB, want int, query string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); ; <-tick.C {
		var got int
		if err := db.QueryRowContext(t.Context(), query).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if got == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %d, want %d", query, got, want)
		}
	}
}

func TestPipelineIsDurableOnSQLite(t *testing.T) {
	t.Parallel()
	store, err := openPipelineSQLite(t.Context(), filepath.Join(t.TempDir(), "pipeline.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.close)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2"} {
		var got string
		if err := store.db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %s, %v, want %s", pragma, got, err, want)
		}
	}
}

func TestPipelineRefusesWhatItCannotKeep(t *testing.T) {
	t.Parallel()
	store, err := openPipelineSQLite(t.Context(), filepath.Join(t.TempDir(), "pipeline.db"))
	if err != nil {
		t.Fatal(err)
	}
	store.close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- newPipeline(store, "http://"+l.Addr().String()).serve(t.Context(), l) }()
	got, err := load(t.Context(), loadJob{URL: "http://" + l.Addr().String() + "/", Events: 1, Connections: 1})
	if err == nil || got.Refused["500"] != 1 {
		t.Errorf("load = %+v, %v; want an answer of 500", got, err)
	}
	if err := <-served; err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("the pipeline ended with %v", err)
	}
}
