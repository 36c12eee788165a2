package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/dbtest"
)

// TestStartedWithoutRedis starts the program while Redis is away: it receives and
// delivers, says that it is without Redis, does not fill its log with that, and uses
// Redis as soon as it is there.
func TestStartedWithoutRedis(t *testing.T) {
	t.Parallel()
	server, client := startRedis(t)
	if err := server.Halt("KILL"); err != nil {
		t.Fatal(err)
	}
	p := newProgram(t, "DATABASE_URL="+dbtest.Postgres(t), "REDIS_URL="+server.URL)
	p.cmd = p.command("serve")
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.eventually("it says that Redis does not answer", func() bool {
		status, text := p.ready()
		return status == http.StatusServiceUnavailable && strings.Contains(text, `"database":"ok"`) && strings.Contains(text, `"redis":"no answer"`)
	})
	sink := newSink(t)
	target := p.source("without")
	p.endpoint(sink.URL, nil)
	for range 50 {
		if status := post(t, target, `{"type":"a"}`, nil); status != http.StatusAccepted {
			t.Fatalf("receiving answers %d", status)
		}
	}
	p.eventually("all are delivered", func() bool { return len(p.list("/deliveries?status=delivered")) == 50 })
	said, most := strings.Count(p.log.String(), "level=WARN")+strings.Count(p.log.String(), "level=ERROR"), 20+5*int(time.Since(began)/time.Second)
	if said > most {
		t.Errorf("%d warnings in %s", said, time.Since(began))
	}
	if err := server.Again(); err != nil {
		t.Fatal(err)
	}
	p.eventually("it is well", func() bool { status, _ := p.ready(); return status == http.StatusOK })
	sent := 50
	p.eventually("it delivers by way of Redis", func() bool {
		post(t, target, `{"type":"b"}`, nil)
		sent++
		return client.Exists(t.Context(), "asynq:queues").Val() == 1
	})
	p.eventually("the rest is delivered", func() bool { return len(p.list("/deliveries?status=delivered")) == sent })
	if n := sink.total.Load(); int(n) != sent {
		t.Errorf("%d requests arrived, want %d", n, sent)
	}
}

// TestPostgresStopsUnderLoad ends the server without a checkpoint while events come
// in and go out. Nothing is accepted meanwhile, nobody waits for long, and when the
// server is back everything goes on in the same process.
func TestPostgresStopsUnderLoad(t *testing.T) {
	t.Parallel()
	server, err := dbtest.StartPostgres(dbtest.Durable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	p := newProgram(t, "DATABASE_URL="+server.URL, "REDIS_URL="+dbtest.Redis(t))
	p.start()
	sink := newSink(t)
	target := p.source("stops")
	p.endpoint(sink.URL, nil)
	l := startLoad(target, 8)
	for round := range 3 {
		want := (round + 1) * 100
		p.eventually("more was accepted", func() bool { return l.count() >= want })
		if err := server.Halt("QUIT"); err != nil {
			t.Fatal(err)
		}
		began, before := time.Now(), l.count()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if took := time.Since(began); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || took > 5*time.Second {
			t.Errorf("without a database: %d after %s, retry after %q", resp.StatusCode, took, resp.Header.Get("Retry-After"))
		}
		if status, _ := p.ready(); status != http.StatusServiceUnavailable {
			t.Errorf("/readyz answers %d", status)
		}
		if n := l.count(); n > before+8 { // answers that were on their way
			t.Errorf("%d events were accepted without a database", n-before)
		}
		if err := server.Again(); err != nil {
			t.Fatal(err)
		}
	}
	p.eventually("more was accepted", func() bool { return l.count() >= 400 })
	accepted := l.end()
	p.eventually("everything that was accepted arrived", func() bool {
		for id := range accepted {
			if sink.seen(id) == 0 {
				return false
			}
		}
		return true
	})
	p.eventually("and is recorded", func() bool {
		kept := map[string]string{}
		for _, e := range p.list("/events") {
			kept[e.ID] = e.Status
		}
		for id := range accepted {
			if kept[id] != "delivered" {
				return false
			}
		}
		return true
	})
	if code := p.stop(); code != 0 {
		t.Errorf("the process ended with %d", code)
	}
}
