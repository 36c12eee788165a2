package jobs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/relay"
)

func TestOpenRedisWorksLater(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	server.stop()
	client := openTestRedis(t, server.URL)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := client.Ping(ctx).Err(); err == nil || ctx.Err() != nil {
		t.Errorf("ping without a server: %v", err)
	}
	server.start(t)
	eventually(t, "the client reaches the server", func() bool { return client.Ping(t.Context()).Err() == nil })
}

func TestCheckRedis(t *testing.T) {
	t.Parallel()
	client := openTestRedis(t, startRedis(t).URL)
	if w, err := CheckRedis(t.Context(), client); err != nil || len(w) != 0 {
		t.Errorf("a good server: %q, %v", w, err)
	}
	client.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru")
	if w, err := CheckRedis(t.Context(), client); err != nil || len(w) != 1 || !strings.Contains(w[0], "noeviction") {
		t.Errorf("an evicting server: %q, %v", w, err)
	}
	client.Do(t.Context(), "ACL", "SETUSER", "default", "-info")
	if w, err := CheckRedis(t.Context(), client); err != nil || len(w) != 1 || !strings.Contains(w[0], "INFO") {
		t.Errorf("a server that does not tell: %q, %v", w, err)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{"7.0.15": true, "6.2.0": true, "6.0.16": false, "5.9": false, "10.1": true, "": false} {
		if got := atLeast(version, 6, 2); got != want {
			t.Errorf("%s: %v", version, got)
		}
	}
}

// TestProbeSaysWhatRedisSays makes a real server refuse in several ways. A look
// that only reads finds nothing of that.
func TestProbeSaysWhatRedisSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil []any
		says  string
	}{
		"full":            {[]any{"CONFIG", "SET", "maxmemory", "1"}, "OOM"},
		"a replica":       {[]any{"REPLICAOF", "127.0.0.1", "1"}, "READONLY"},
		"no right to set": {[]any{"ACL", "SETUSER", "default", "-set"}, "NOPERM"},
		"other keys":      {[]any{"ACL", "SETUSER", "default", "resetkeys", "~reprise:*"}, "NOPERM"},
		"no scripts":      {[]any{"ACL", "SETUSER", "default", "-@scripting"}, "NOPERM"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := openTestRedis(t, startRedis(t).URL)
			status := &Client{Redis: client}
			if _, err := status.Status(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := client.Do(t.Context(), c.spoil...).Err(); err != nil {
				t.Fatal(err)
			}
			_, err := status.Status(t.Context())
			var said *relay.Error
			if !errors.As(err, &said) || !strings.Contains(said.Detail, c.says) {
				t.Errorf("%v", err)
			}
		})
	}
	server := startRedis(t)
	if err := openTestRedis(t, server.URL).ConfigSet(t.Context(), "requirepass", "right").Err(); err != nil {
		t.Fatal(err)
	}
	wrong := openTestRedis(t, strings.Replace(server.URL, "redis://", "redis://:s3cret@", 1))
	_, err := (&Client{Redis: wrong}).Status(t.Context())
	var said *relay.Error
	if !errors.As(err, &said) || !strings.Contains(said.Detail, "refuses the password") || strings.Contains(said.Detail, "s3cret") {
		t.Errorf("a wrong password: %v", err)
	}
}

// TestAnUntrustedCertificateIsNamed: it is the setting that is wrong, which "no answer"
// did not say.
func TestAnUntrustedCertificateIsNamed(t *testing.T) {
	t.Parallel()
	certificate, key := dbtest.Certificate(t)
	port := freePort(t)
	startRedis(t, "--tls-port", port, "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate, "--tls-auth-clients", "no")
	for _, host := range []string{"localhost", "127.0.0.1"} {
		_, err := (&Client{Redis: openTestRedis(t, "rediss://"+host+":"+port)}).Status(t.Context())
		var said *relay.Error
		if !errors.As(err, &said) || !strings.Contains(said.Detail, "certificate that is not trusted") {
			t.Errorf("%s: %v", host, err)
		}
	}
}
