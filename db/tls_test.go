package db

import (
	"context"
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
)

// TestPostgresOverTLS asks a server in the ways that the README names.
func TestPostgresOverTLS(t *testing.T) {
	t.Parallel()
	certificate, key := dbtest.Certificate(t)
	server, err := dbtest.StartPostgres(dbtest.Throwaway, "ssl=on", "ssl_cert_file="+certificate, "ssl_key_file="+key)
	check(t, err)
	t.Cleanup(server.Stop)
	named := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	for _, c := range []struct{ url, mode, refused string }{
		{url: server.URL, mode: "require"},
		{url: named, mode: "verify-full&sslrootcert=" + certificate},
		{url: named, mode: "verify-full", refused: "unknown authority"},
		{url: server.URL, mode: "verify-full&sslrootcert=" + certificate, refused: "127.0.0.1"},
		{url: server.URL, mode: "verify-full&sslrootcert=/nothing/there", refused: "/nothing/there"},
	} {
		url := strings.Replace(c.url, "sslmode=disable", "sslmode="+c.mode, 1)
		if c.refused != "" {
			if err := tryOpen(t, sqldb.Options{URL: url}); err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s of %s: %v", c.mode, url, err)
			}
			continue
		}
		s := openStore(t, sqldb.Options{URL: url, Exclusive: true})
		check(t, s.Beat(t.Context(), 1, "host", "worker"))
		var all, plain int
		check(t, s.R.NewSelect().TableExpr("pg_stat_ssl JOIN pg_stat_activity USING (pid)").Where("application_name = 'reprise'").
			ColumnExpr("count(*), count(*) FILTER (WHERE NOT ssl)").Scan(context.Background(), &all, &plain))
		if all < 3 || plain > 0 {
			t.Errorf("%s: %d of %d connections are not encrypted", c.mode, plain, all)
		}
	}
}
