package main

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/reprise-dev/reprise/db/dbtest"
)

// TestASecondSignalChangesNothing sends SIGTERM twice while requests are under way: they
// end, are recorded, and are not made again.
func TestASecondSignalChangesNothing(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		sink, let := p.underWay()
		for range 2 {
			if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			p.eventually("it stops", func() bool { return strings.Contains(p.log.String(), "stopping") })
		}
		close(let)
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("it ended with %v", err)
		}
		p.cmd = nil
		p.intact()
		p.start()
		p.eventually("all are delivered", func() bool { return len(p.list("/deliveries?status=delivered")) == 20 })
		if n := sink.total.Load(); n != 20 {
			t.Errorf("%d requests arrived, want 20", n)
		}
	})
}

// TestKilledWhileStopping ends the program for good in the middle of an orderly stop.
func TestKilledWhileStopping(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		sink, let := p.underWay()
		if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		p.eventually("it stops", func() bool { return strings.Contains(p.log.String(), "stopping") })
		p.kill()
		close(let)
		p.intact()
		p.start()
		p.eventually("all are delivered", func() bool { return len(p.list("/deliveries?status=delivered")) == 20 })
		for _, d := range p.list("/deliveries") {
			if n := sink.seen(d.EventID); n < 1 || n > 2 {
				t.Errorf("event %s arrived %d times", d.EventID, n)
			}
		}
	})
}

// underWay starts the program and leaves 20 deliveries with some in flight, that are not
// answered until let is closed.
func (p *program) underWay() (s *sink, let chan struct{}) {
	p.t.Helper()
	s, let = newSink(p.t), make(chan struct{})
	s.hold = let
	p.start()
	target := p.source("held")
	p.endpoint(s.URL, nil)
	for range 20 {
		if status := post(p.t, target, `{"type":"a"}`, nil); status != http.StatusAccepted {
			p.t.Fatalf("receiving answers %d", status)
		}
	}
	p.eventually("some are under way", func() bool { return s.total.Load() >= 1 })
	return s, let
}

// databaseURL is the one that the program uses.
func (p *program) databaseURL() (url string) {
	for _, e := range p.env {
		if after, ok := strings.CutPrefix(e, "DATABASE_URL="); ok {
			url = after
		}
	}
	return url
}

// intact has SQLite check its file, which nobody may use meanwhile.
func (p *program) intact() {
	p.t.Helper()
	if strings.HasPrefix(p.databaseURL(), "sqlite://") {
		if said := dbtest.Integrity(p.t, p.databaseURL()); said != "ok" {
			p.t.Errorf("the database is damaged: %s", said)
		}
	}
}
