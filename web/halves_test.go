package main

import (
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/reprise-dev/reprise/db/dbtest"
)

// TestTwoHalves runs the web half and the worker half as two processes.
func TestTwoHalves(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "DATABASE_URL="+dbtest.Postgres(t), "REDIS_URL="+dbtest.Redis(t))
	p.startAs("web")
	worker := p.command("worker")
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

func refused(t *testing.T, p *program, cmd *exec.Cmd, why string) {
	t.Helper()
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) {
		t.Fatalf("it was not refused: %v", err)
	}
	if said := p.log.String(); !strings.Contains(said, why) {
		t.Errorf("it did not say %q, but: %s", why, said)
	}
}
