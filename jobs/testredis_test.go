package jobs

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// redisServer is a real Redis in a process of its own.
type redisServer struct {
	URL  string
	port string
	dir  string
	more []string // settings
	stop func()
}

// startRedis starts a real Redis on a free port. It keeps nothing on disk.
func startRedis(t testing.TB, settings ...string) *redisServer {
	t.Helper()
	r := &redisServer{port: freePort(t), dir: t.TempDir(), more: settings}
	r.URL = "redis://127.0.0.1:" + r.port + "/0"
	r.start(t)
	t.Cleanup(func() { r.stop() })
	return r
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// start is also for a server that was stopped: it comes back empty.
func (r *redisServer) start(t testing.TB) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal("redis-server is missing: install it (Debian: apt-get install redis-server) to run these tests")
	}
	args := []string{"--port", r.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", r.dir}
	cmd := exec.Command(path, append(args, r.more...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.stop = sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + r.port, DialerRetries: 1})
	defer func() { _ = client.Close() }()
	eventually(t, "Redis answers", func() bool { return client.Ping(context.Background()).Err() == nil })
}

// onBoth runs a test on the embedded and on a real Redis.
func onBoth(t *testing.T, test func(t *testing.T, client redis.UniversalClient)) {
	for name, url := range map[string]func(testing.TB) string{
		"embedded": func(testing.TB) string { return EmbeddedURL },
		"real":     func(t testing.TB) string { return startRedis(t).URL },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, openTestRedis(t, url(t)))
		})
	}
}

func openTestRedis(t testing.TB, url string) redis.UniversalClient {
	t.Helper()
	client, _, closeFn, err := OpenRedis(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closeFn(); err != nil {
			t.Error(fmt.Errorf("close Redis: %w", err))
		}
	})
	return client
}
