package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// reprise runs a command of the program and gives what it prints.
func (p *program) reprise(status int, args ...string) string {
	p.t.Helper()
	cmd := p.command(args...)
	cmd.Env = append(cmd.Env, "REPRISE_URL="+p.URL)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != status {
		p.t.Fatalf("%v: %v, want status %d\n%s", args, err, status, out.String())
	}
	return out.String()
}

// TestReplayProgram replays by the real commands through a real server.
func TestReplayProgram(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	var got atomic.Int32
	var down atomic.Bool
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		} else if r.Header.Get("X-Reprise-Replay-Id") != "" {
			got.Add(1)
		}
	}))
	t.Cleanup(receiver.Close)
	target := p.source("orders")
	for range 5 {
		if resp, err := http.Post(target, "application/json", strings.NewReader(`{"type":"order.paid"}`)); err != nil || resp.StatusCode != http.StatusAccepted {
			t.Fatal(err, resp)
		}
	}
	e := p.endpoint(receiver.URL, map[string]any{"retry": map[string]any{"max_retries": 0}})

	plan := p.reprise(0, "replay", "plan", "--endpoint", e, "--from", "1h", "--rate", "100", "--note", "a new shop")
	id := regexp.MustCompile(`rpl_[0-9a-f-]{36}`).FindString(plan)
	if !regexp.MustCompile(`Deliveries +5\n`).MatchString(plan) || !strings.Contains(plan, "reprise replay start "+id) || !strings.Contains(plan, "order.paid") || got.Load() != 0 {
		t.Errorf("plan:\n%s", plan)
	}
	if out := p.reprise(0, "replay", "start", id); !strings.Contains(out, "100%, 5 of 5, 5 delivered, 0 failed, completed") || got.Load() != 5 {
		t.Errorf("%d arrived:\n%s", got.Load(), out)
	}
	down.Store(true)
	out := p.reprise(exitFailures, "replay", "start", "--endpoint", e, "--type", "order.*", "--rate", "100")
	failed := regexp.MustCompile(`rpl_[0-9a-f-]{36}`).FindString(out)
	if out := p.reprise(0, "replay", "failed", failed); !strings.Contains(out, "http_500") {
		t.Errorf("failed:\n%s", out)
	}
	if out := p.reprise(0, "replay", "failed", failed, "--export", "csv"); strings.Count(out, "\n") != 6 {
		t.Errorf("export:\n%s", out)
	}
	down.Store(false)
	if out := p.reprise(0, "replay", "failed", failed, "--replay"); !strings.Contains(out, "5 delivered") || got.Load() != 10 {
		t.Errorf("%d arrived:\n%s", got.Load(), out)
	}
	if out := p.reprise(0, "replay", "status"); strings.Count(out, "completed") != 3 || !strings.Contains(out, "a new shop") {
		t.Errorf("list:\n%s", out)
	}
	p.reprise(1, "replay", "pause", id)
	p.reprise(1, "replay", "plan", "--from", "1h", "--rate", "0")
	if out := p.reprise(0, "retention", "run", "--dry-run"); !strings.Contains(out, "Nothing was removed") {
		t.Errorf("retention:\n%s", out)
	}
}
