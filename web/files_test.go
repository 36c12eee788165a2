package main

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestFewFileHandles lets strangers open more connections than a process with 256 file
// handles can serve. What was connected goes on, deliveries go out, the log stays
// small, and when the strangers are gone everybody is served again.
func TestFewFileHandles(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		serve := p.command("serve")
		p.cmd = exec.Command("sh", append([]string{"-c", `ulimit -n 256 && exec "$0" "$@"`}, serve.Args...)...)
		p.cmd.Env, p.cmd.Stderr = serve.Env, serve.Stderr
		if err := p.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p.eventually("it is ready", func() bool { status, _ := p.ready(); return status == http.StatusOK })
		sink := newSink(t)
		target := p.source("few")
		p.endpoint(sink.URL, nil)
		provider := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}, Timeout: 30 * time.Second}
		defer provider.CloseIdleConnections()
		send := func() int {
			resp, err := provider.Post(target, "application/json", strings.NewReader(`{"type":"a"}`))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			return resp.StatusCode
		}
		if status := send(); status != http.StatusAccepted {
			t.Fatalf("receiving answers %d", status)
		}
		var strangers []net.Conn
		for range 400 {
			conn, err := net.DialTimeout("tcp", strings.TrimPrefix(p.URL, "http://"), 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			strangers = append(strangers, conn)
		}
		for range 200 {
			if status := send(); status != http.StatusAccepted {
				t.Fatalf("beside many connections receiving answers %d", status)
			}
		}
		p.eventually("all arrive", func() bool { return sink.total.Load() == 201 })
		const cpu = "process_cpu_seconds_total"
		began := p.metric(provider, cpu)
		<-time.After(2 * time.Second)
		if used := p.metric(provider, cpu) - began; used > 1 {
			t.Errorf("with nothing to do it used %.1f seconds of CPU in two", used)
		}
		for _, conn := range strangers {
			_ = conn.Close()
		}
		p.eventually("others are served again", func() bool { status, _ := p.ready(); return status == http.StatusOK })
		for _, d := range p.list("/deliveries") {
			if d.Status != "delivered" || d.Attempts != 1 {
				t.Fatalf("delivery %s is %s after %d attempts", d.ID, d.Status, d.Attempts)
			}
		}
		if said := p.log.String(); strings.Count(said, "level=WARN")+strings.Count(said, "level=ERROR") > 20 || !strings.Contains(said, "cannot be served") {
			t.Errorf("it said: %s", said)
		}
		if status := p.stop(); status != 0 {
			t.Errorf("it ended with %d", status)
		}
	})
}

// metric asks the program for one of its numbers.
func (p *program) metric(client *http.Client, name string) float64 {
	p.t.Helper()
	resp, err := client.Get(p.URL + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return value
		}
	}
	p.t.Fatalf("there is no metric %s: %s", name, text)
	return 0
}
