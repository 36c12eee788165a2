package main

import (
	"bufio"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestNobodyReadsTheLog starts the program with its output in a pipe that is full and
// that nobody reads. It works and stops all the same, and says how much of its log is
// missing as soon as somebody reads.
func TestNobodyReadsTheLog(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		p.env = append(p.env, "REPRISE_LOG_LEVEL=debug")
		serve := func() (end *os.File) {
			end, full := fullPipe(t)
			p.cmd = p.command("serve")
			p.cmd.Stdout, p.cmd.Stderr = full, full
			if err := p.cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_ = full.Close()
			p.eventually("it is ready", func() bool { status, _ := p.ready(); return status == http.StatusOK })
			return end
		}
		end := serve()
		sink, refusing := newSink(t), newSink(t)
		refusing.answer = http.StatusInternalServerError
		target := p.source("unread")
		p.endpoint(sink.URL, nil)
		p.endpoint(refusing.URL, map[string]any{"retry": map[string]any{"max_retries": 0}})
		l := startLoad(target, 8)
		p.eventually("more was accepted than its log has room for", func() bool { return l.count() > logRoom })
		accepted := int64(len(l.end()))
		p.eventually("everything was sent", func() bool { return sink.total.Load() >= accepted && refusing.total.Load() >= accepted })
		p.eventually("every delivery ends", func() bool { return len(p.list("/deliveries?status=pending")) == 0 })
		lines := bufio.NewScanner(end)
		for lines.Scan() && !strings.Contains(lines.Text(), "lines of the log are missing") {
		}
		if lines.Err() != nil || !strings.Contains(lines.Text(), "level=WARN") {
			t.Errorf("it does not say that lines are missing: %q, %v", lines.Text(), lines.Err())
		}
		_ = end.Close()
		p.kill()

		serve()
		began := time.Now()
		if status := p.stop(); status != 0 || time.Since(began) > 15*time.Second {
			t.Errorf("it ended with %d after %s", status, time.Since(began))
		}
	})
}

// fullPipe is a pipe into which nothing more fits.
func fullPipe(t *testing.T) (end, full *os.File) {
	t.Helper()
	end, full, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end.Close() })
	filler := []byte(strings.Repeat("x", 4095) + "\n")
	for err == nil {
		if err = full.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err == nil {
			_, err = full.Write(filler)
		}
	}
	return end, full
}
