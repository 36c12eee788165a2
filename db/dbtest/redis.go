package dbtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// RedisVar is the environment variable with the URL of a Redis server for
// tests.
const RedisVar = "REPRISE_TEST_REDIS"

// Redis answers the URL of an empty Redis database for one test. The server
// is shared: FLUSHDB is the test's own affair, FLUSHALL and SHUTDOWN are not.
func Redis(t testing.TB) string {
	t.Helper()
	server, err := sharedRedis()
	if err != nil {
		t.Fatal(err)
	}
	number, err := ask(server, "INCR dbtest")
	if err != nil {
		t.Fatalf("choosing a Redis database: %v", err)
	}
	number = strings.TrimPrefix(number, ":")
	t.Cleanup(func() {
		if _, err := ask(server, "SELECT "+number, "FLUSHDB"); err != nil {
			t.Errorf("emptying the Redis database: %v", err)
		}
	})
	return strings.TrimSuffix(server, "/") + "/" + number
}

// sharedRedis is the URL of the one server of this process.
var sharedRedis = sync.OnceValues(func() (string, error) {
	if server := os.Getenv(RedisVar); server != "" {
		return server, nil
	}
	s, err := StartRedis()
	if err != nil {
		return "", err
	}
	return s.URL, nil
})

// StartRedis starts a Redis server of its own, with Redis's own defaults and what
// settings say beside, for tests that flush or stop it and for measurements.
func StartRedis(settings ...string) (*Server, error) {
	redis, err := program("redis-server", "Redis", "/usr/local/bin", "/usr/bin")
	if err != nil {
		return nil, err
	}
	dir, err := tempDir("reprise-redis-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args := append([]string{redis, "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--databases", "10000"}, settings...)
	s, err := start(dir, "redis://127.0.0.1:"+port, args...)
	if err != nil {
		return nil, err
	}
	s.ready = func(context.Context) error {
		_, err := ask(s.URL, "PING")
		return err
	}
	return s, s.await(s.ready)
}

// ask sends commands in Redis's inline form and answers the last reply.
func ask(server string, commands ...string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	conn, err := net.DialTimeout("tcp", u.Host, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	replies := bufio.NewReader(conn)
	var reply string
	for _, command := range commands {
		if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
			return "", err
		}
		if reply, err = replies.ReadString('\n'); err != nil {
			return "", err
		}
		if reply = strings.TrimSpace(reply); strings.HasPrefix(reply, "-") {
			return "", errors.New(reply)
		}
	}
	return reply, nil
}
