package jobs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-dev/reprise/relay"
)

func TestOpenRedisRefusesBadURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "localhost:6379", "http://x", "redis://:s3cret@host:port:port/x", "redis://u:s3cret@h/not-a-number"} {
		_, _, _, err := OpenRedis(url)
		if err == nil {
			t.Errorf("%q was taken", url)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: the error shows the password: %v", url, err)
		}
	}
}

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

func TestRedisOverTLSIsAskedInTLS(t *testing.T) {
	t.Parallel()
	client := openTestRedis(t, "rediss://redis.example:6380/2").(*redis.Client)
	if o := client.Options(); o.TLSConfig == nil || o.TLSConfig.ServerName != "redis.example" || o.DB != 2 {
		t.Errorf("options: %+v", o)
	}
}

func TestRedisWarnings(t *testing.T) {
	t.Parallel()
	client := openTestRedis(t, startRedis(t).URL)
	if w, err := RedisWarnings(t.Context(), client); err != nil || len(w) != 0 {
		t.Errorf("a good server: %q, %v", w, err)
	}
	client.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru")
	if w, err := RedisWarnings(t.Context(), client); err != nil || len(w) != 1 || !strings.Contains(w[0], "noeviction") {
		t.Errorf("an evicting server: %q, %v", w, err)
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
