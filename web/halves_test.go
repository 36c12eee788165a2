package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/redis/go-redis/v9"

	"github.com/reprise-dev/reprise/db/dbtest"
)

// fetched is the text at an address.
func fetched(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %d, %v: %s", url, resp.StatusCode, err, text)
	}
	return string(text)
}

// freeAddr is an address of this machine that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// TestTwoHalves runs the web half and the worker half as two processes.
func TestTwoHalves(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "DATABASE_URL="+dbtest.Postgres(t), "REDIS_URL="+dbtest.Redis(t))
	p.startAs("web")
	worker, watched := p.command("worker"), freeAddr(t)
	worker.Env = append(slices.Clone(p.env), "REPRISE_METRICS_ADDR="+watched)
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	sink := newSink(t)
	target := p.source("halves")
	p.endpoint(sink.URL, nil)
	for range 20 {
		post(t, target, `{"type":"a"}`, nil)
	}
	p.eventually("the worker delivers", func() bool { return len(p.list("/deliveries?status=delivered")) == 20 })
	for address, wants := range map[string][]string{
		watched:                              {`reprise_attempts_total{result="delivered"} 20`, "reprise_claimed_deliveries_total 20", "reprise_redis_up 1", "reprise_commit_batch_size_count"},
		strings.TrimPrefix(p.URL, "http://"): {`reprise_ingest_requests_total{result="accepted"} 20`, `reprise_backlog_deliveries{lane="live"} 0`, "go_goroutines", "process_resident_memory_bytes"},
	} {
		text := fetched(t, "http://"+address+"/metrics")
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s is not in the metrics of %s:\n%s", want, address, text)
			}
		}
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("the metrics of %s are not as they should be: %v %v", address, problems, err)
		}
	}
	for path, want := range map[string]string{"/readyz": `"clock":"ok"`, "/healthz": `"status":"ok"`} {
		if text := fetched(t, "http://"+watched+path); !strings.Contains(text, want) {
			t.Errorf("%s of the worker says %s", path, text)
		}
	}
	if resp, err := http.Get("http://" + watched + "/api/v1/events"); err != nil || resp.StatusCode != http.StatusNotFound || resp.Body.Close() != nil {
		t.Errorf("the worker answers for the API: %v, %v", resp, err)
	}
	if err := worker.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := worker.Wait(); err != nil {
		t.Errorf("the worker ended with %v", err)
	}
	post(t, target, `{"type":"b"}`, nil)
	if n := len(p.list("/deliveries?status=pending")); n != 1 {
		t.Errorf("%d deliveries wait without a worker, want 1", n)
	}
	again := p.command("worker")
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	p.eventually("the next worker delivers the rest", func() bool { return len(p.list("/deliveries?status=delivered")) == 21 })
	_ = again.Process.Kill()
	_ = again.Wait()
	if n := sink.total.Load(); n != 21 {
		t.Errorf("%d requests arrived, want 21", n)
	}
}

// TestEmbeddedRedisIsForOneProcess refuses what would leave two processes
// that do not see each other's work.
func TestEmbeddedRedisIsForOneProcess(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "DATABASE_URL="+dbtest.Postgres(t))
	p.start()
	for _, redis := range []string{"embedded", dbtest.Redis(t)} {
		second := p.command("serve")
		second.Env = append(append([]string{}, p.env...), "REPRISE_ADDR=127.0.0.1:0", "REDIS_URL="+redis)
		refused(t, p, second, "another Reprise process is serving from this database")
	}
	refused(t, p, p.command("worker"), "use serve for one")
}

// refused runs what must end with an error that says why.
func refused(t *testing.T, p *program, cmd *exec.Cmd, why string) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Fatalf("it was not refused: %v", err)
	}
	if said := p.log.String(); !strings.Contains(said, why) {
		t.Errorf("it did not say %q, but: %s", why, said)
	}
}

// TestTwoWorkersLoseNothing has two workers share what one process receives. One is
// killed and started again, and Redis is emptied: with claims that lived in a
// process and tasks that all served, deliveries were stuck for good.
func TestTwoWorkersLoseNothing(t *testing.T) {
	t.Parallel()
	const events = 3000
	redisURL := dbtest.Redis(t)
	p := newProgram(t, "DATABASE_URL="+dbtest.Postgres(t), "REDIS_URL="+redisURL)
	p.startAs("web")
	start := func() *exec.Cmd {
		worker := p.command("worker")
		if err := worker.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = worker.Process.Kill(); _ = worker.Wait() })
		return worker
	}
	start()
	second := start()
	sink := newSink(t)
	target := p.source("two")
	p.endpoint(sink.URL, nil)
	options, err := redis.ParseURL(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range events / 16 {
				post(t, target, `{"type":"a"}`, nil)
			}
		})
	}
	sent := int64(events / 16 * 16)
	p.eventually("a third has arrived", func() bool { return sink.total.Load() > sent/3 })
	_ = second.Process.Kill()
	_ = second.Wait()
	if err := client.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	start()
	all.Wait()
	p.eventually("nothing is left", func() bool {
		return len(p.list("/deliveries?status=pending")) == 0 && len(p.list("/deliveries?status=retrying")) == 0
	})
	if n := len(p.list("/deliveries?status=delivered")); int64(n) != sent {
		t.Errorf("%d are delivered, want %d", n, sent)
	}
	if n := sink.total.Load(); n < sent || n > sent+64 {
		t.Errorf("%d requests arrived for %d deliveries; the process that was killed had 64 in hand at most", n, sent)
	}
}
