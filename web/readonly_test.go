package main

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/dbtest"
)

// TestADatabaseBecomesReadOnly makes the database refuse every write while the program
// runs. Nothing is accepted, what is there can be read, the log says why, and when it
// can be written again the same process goes on.
func TestADatabaseBecomesReadOnly(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		sink := newSink(t)
		hold := make(chan struct{})
		sink.hold = hold
		p.start()
		target := p.source("readonly")
		p.endpoint(sink.URL, nil)
		for range 5 {
			if status := post(t, target, `{"type":"a"}`, nil); status != http.StatusAccepted {
				t.Fatalf("receiving answers %d", status)
			}
		}
		p.eventually("they are under way", func() bool { return sink.total.Load() == 5 })
		restore := p.makeReadOnly(func() bool { return post(t, target, `{"type":"b"}`, nil) == http.StatusServiceUnavailable })
		close(hold) // their outcomes cannot be recorded
		p.eventually("what is there can be read", func() bool { return p.call("GET", "/events", nil, nil) == http.StatusOK })
		stored := len(p.list("/events"))
		for range 20 {
			resp, err := http.Post(target, "application/json", strings.NewReader(`{"type":"b"}`))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
				t.Fatalf("receiving answers %d", resp.StatusCode)
			}
		}
		if n := len(p.list("/events")); n != stored {
			t.Errorf("%d events are there, want %d", n, stored)
		}
		if said := p.log.String(); !strings.Contains(said, "read-only transaction") && !strings.Contains(said, "readonly database") {
			t.Error("it does not say why")
		}
		before := strings.Count(p.log.String(), "\n")
		const cpu = "process_cpu_seconds_total"
		used := p.metric(http.DefaultClient, cpu)
		<-time.After(2 * time.Second)
		if lines := strings.Count(p.log.String(), "\n") - before; lines > 60 {
			t.Errorf("it wrote %d lines in two seconds", lines)
		}
		if used = p.metric(http.DefaultClient, cpu) - used; used > 1 {
			t.Errorf("it used %.1f seconds of CPU in two", used)
		}
		restore()
		p.eventually("receiving goes on", func() bool { return post(t, target, `{"type":"c"}`, nil) == http.StatusAccepted })
		stored++
		p.eventually("all are delivered", func() bool {
			var page answer[[]thing]
			status, err := p.tryCall("GET", "/deliveries?status=delivered&limit=100", nil, &page)
			return err == nil && status == http.StatusOK && len(page.Data) == stored
		})
		if status := p.stop(); status != 0 {
			t.Errorf("it ended with %d", status)
		}
		p.intact()
	})
}

// makeReadOnly makes a database refuse every write, as refused finds out, until restore
// is called.
func (p *program) makeReadOnly(refused func() bool) (restore func()) {
	p.t.Helper()
	at := p.databaseURL()
	if path, ok := strings.CutPrefix(at, "sqlite://"); ok {
		return p.markReadOnly(path, refused)
	}
	u, err := url.Parse(at)
	if err != nil {
		p.t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/")
	writable := at + "&default_transaction_read_only=off"
	set := func(value string) {
		dbtest.Exec(p.t, writable, "ALTER DATABASE "+name+" SET default_transaction_read_only = "+value)
		dbtest.Exec(p.t, writable, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()", name)
	}
	set("on")
	p.eventually("writing is refused", refused)
	return func() { set("off") }
}

// markReadOnly gives the file of a database a version that SQLite reads and does not
// write. That holds for root too, who writes what the mode of a file forbids. It is
// only seen by who reads the page anew where it stands, after the log was emptied.
func (p *program) markReadOnly(path string, refused func() bool) (restore func()) {
	p.t.Helper()
	const writeVersion, theLog, later = 18, 2, 3
	set := func(version byte) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			p.t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		if _, err := f.WriteAt([]byte{version}, writeVersion); err != nil {
			p.t.Fatal(err)
		}
	}
	p.eventually("writing is refused", func() bool {
		set(theLog)
		dbtest.Exec(p.t, "sqlite://"+path, "PRAGMA wal_checkpoint(TRUNCATE)")
		set(later)
		return refused()
	})
	return func() { set(theLog) }
}
