package dbtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// PostgresVar is the environment variable with the URL of a PostgreSQL server
// for tests.
const PostgresVar = "REPRISE_TEST_POSTGRES"

// Durability is whether a server keeps its promise over a power cut.
type Durability bool

// Throwaway is quick and for tests; Durable has the server's own defaults and
// is for measurements.
const (
	Throwaway Durability = false
	Durable   Durability = true
)

// Postgres makes an empty database for one test and answers its URL.
func Postgres(t testing.TB) string {
	t.Helper()
	server, err := sharedPostgres()
	if err != nil {
		t.Fatal(err)
	}
	name := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	made, err := (&Server{URL: server}).Database(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := execSQL(server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("removing the database: %v", err)
		}
	})
	return made
}

// Database makes an empty database on a PostgreSQL server and answers its URL.
func (s *Server) Database(name string) (string, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return "", err
	}
	if err := execSQL(s.URL, "CREATE DATABASE "+name); err != nil {
		return "", fmt.Errorf("making a database: %w", err)
	}
	u.Path = "/" + name
	return u.String(), nil
}

// sharedPostgres is the URL of the one server of this process.
var sharedPostgres = sync.OnceValues(func() (string, error) {
	if server := os.Getenv(PostgresVar); server != "" {
		return server, nil
	}
	s, err := StartPostgres(Throwaway)
	if err != nil {
		return "", err
	}
	return s.URL, nil
})

// StartPostgres starts a PostgreSQL server of its own, for tests that stop it
// and for measurements; settings are name=value.
func StartPostgres(d Durability, settings ...string) (*Server, error) {
	const debian = "/usr/lib/postgresql/*/bin"
	initdb, err := program("initdb", "PostgreSQL", debian)
	if err != nil {
		return nil, err
	}
	postgres, err := program("postgres", "PostgreSQL", filepath.Dir(initdb), debian)
	if err != nil {
		return nil, err
	}
	dir, err := tempDir("reprise-postgres-")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	init := exec.Command(initdb, "--pgdata", data, "--username", "postgres", "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C", "--no-sync")
	init.Dir, init.SysProcAttr = dir, unprivileged()
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args := []string{
		postgres, "-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "max_connections=300",
	}
	if d == Throwaway {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
			"-c", "shared_buffers=64MB")
	}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	s, err := start(dir, "postgres://postgres@127.0.0.1:"+port+"/postgres?sslmode=disable", args...)
	if err != nil {
		return nil, err
	}
	s.ready = func(context.Context) error { return execSQL(s.URL, "SELECT 1") }
	return s, s.await(s.ready)
}

// Checkpoint makes a PostgreSQL server reuse its log files from now on, as it
// does some minutes after it was started.
func (s *Server) Checkpoint() error { return execSQL(s.URL, "CHECKPOINT") }

func execSQL(server, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// EveryRow is what all tables of a database hold.
func EveryRow(t testing.TB, server string) string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var tables []string
	if err := conn.QueryRow(ctx, "SELECT array_agg(tablename::text) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, table := range tables {
		rows, err := conn.Query(ctx, fmt.Sprintf("SELECT row_to_json(t)::text FROM %s t", table))
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(strings.Join(lines, "\n"))
	}
	return all.String()
}
