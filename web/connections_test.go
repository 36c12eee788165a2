package main

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-dev/reprise/db/dbtest"
)

// startRedis starts a server of the test's own, and answers a client of it too.
func startRedis(t *testing.T, settings ...string) (*dbtest.Server, *redis.Client) {
	t.Helper()
	server, err := dbtest.StartRedis(settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	at, err := redis.ParseURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(at)
	t.Cleanup(func() { _ = client.Close() })
	return server, client
}

// TestACommandEndsForItsRedisURL: every command reads all the settings.
func TestACommandEndsForItsRedisURL(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "REDIS_URL=redis+sentinel://:s3cret@127.0.0.1:26379/main")
	for _, command := range []string{"serve", "migrate"} {
		refused(t, p, p.command(command), "REDIS_URL is for Redis Sentinel, which Reprise does not ask")
	}
	if strings.Contains(p.log.String(), "s3cret") {
		t.Error("the password is shown")
	}
}

func TestARedisClusterIsRefusedAtStart(t *testing.T) {
	t.Parallel()
	server, _ := startRedis(t, "--cluster-enabled", "yes")
	p := newProgram(t, "REDIS_URL="+server.URL)
	refused(t, p, p.command("serve"), "REDIS_URL leads to a Redis server in cluster mode")
}

// TestAReplicaOfRedisCountsAsAway: it may be the master again, so that the program
// starts, says what is wrong, and works without it.
func TestAReplicaOfRedisCountsAsAway(t *testing.T) {
	t.Parallel()
	const says = "Redis is a replica; REDIS_URL must name the server that it follows"
	server, client := startRedis(t)
	if err := client.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	for _, half := range []string{"web", "serve"} {
		t.Run(half, func(t *testing.T) {
			p := newProgram(t, "DATABASE_URL="+dbtest.Postgres(t), "REDIS_URL="+server.URL)
			p.cmd = p.command(half)
			if err := p.cmd.Start(); err != nil {
				t.Fatal(err)
			}
			p.eventually("the program names it", func() bool {
				status, text := p.ready()
				return status == http.StatusServiceUnavailable && strings.Contains(text, says) && strings.Contains(p.log.String(), says)
			})
			if half == "web" {
				return
			}
			sink := newSink(t)
			target := p.source("replica")
			p.endpoint(sink.URL, nil)
			if status := post(t, target, `{"type":"a"}`, nil); status != http.StatusAccepted {
				t.Errorf("receiving answers %d", status)
			}
			p.eventually("it is delivered", func() bool { return len(p.list("/deliveries?status=delivered")) == 1 })
			if err := client.Do(t.Context(), "REPLICAOF", "NO", "ONE").Err(); err != nil {
				t.Fatal(err)
			}
			p.eventually("it is used as soon as it takes writes", func() bool { status, _ := p.ready(); return status == http.StatusOK })
		})
	}
}

// TestRedisOverTLSOfAnAuthorityOfOnesOwn trusts it as the README says.
func TestRedisOverTLSOfAnAuthorityOfOnesOwn(t *testing.T) {
	t.Parallel()
	certificate, key := dbtest.Certificate(t)
	_, port, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	_, client := startRedis(t, "--tls-port", port, "--tls-cert-file", certificate, "--tls-key-file", key,
		"--tls-ca-cert-file", certificate, "--tls-auth-clients", "no")
	p := newProgram(t, "DATABASE_URL="+dbtest.Postgres(t), "REDIS_URL=rediss://localhost:"+port+"/7", "SSL_CERT_FILE="+certificate)
	p.start()
	if keys := client.Info(t.Context(), "keyspace").Val(); !strings.Contains(keys, "db7:") {
		t.Errorf("it has these keys: %s", keys)
	}
}

// ready is what /readyz says.
func (p *program) ready() (status int, text string) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/readyz", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = resp.Body.Close() }()
	var b strings.Builder
	if err := resp.Write(&b); err != nil {
		return 0, ""
	}
	return resp.StatusCode, b.String()
}
