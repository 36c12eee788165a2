package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// scripted is a server whose jobs say what a test wants them to say.
type scripted struct {
	*httptest.Server
	mu    sync.Mutex
	jobs  []string // one for each look at the job; the last one stays
	calls []string // method, path and body
}

func newScripted(t *testing.T, jobs ...string) *scripted {
	s := &scripted{jobs: jobs}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.calls = append(s.calls, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
		switch {
		case strings.HasSuffix(r.URL.Path, "/failures"):
			_, _ = io.WriteString(w, `{"data":[{"cause":"http_500","example":"a\u001b[31mb","count":1200,"retrying":3,"first_delivery_id":"wdl_1"}]}`)
		case strings.HasSuffix(r.URL.Path, "/export"):
			_, _ = io.WriteString(w, "id,status\n")
		case (r.URL.Path == replaysPath || r.URL.Path == endpointsPath) && r.Method == http.MethodGet:
			_, _ = fmt.Fprintf(w, `{"data":[%s]}`, s.jobs[0])
		default:
			_, _ = fmt.Fprintf(w, `{"data":%s}`, s.jobs[0])
			if len(s.jobs) > 1 {
				s.jobs = s.jobs[1:]
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// run runs the real program against the server.
func (s *scripted) run(t *testing.T, stdout io.Writer, args ...string) (status int, stderr string) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"REPRISE_URL=" + s.URL, "REPRISE_API_KEY=rp_x", "TERM=xterm"}
	cmd.Stdout, cmd.Stderr = stdout, &said
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

func jobText(status string, processed, failed int) string {
	return fmt.Sprintf(`{"id":"rpl_1","status":%q,"reason":"over half failed","rate_limit":20,"progress":{"total":1000,"processed":%d,"succeeded":%d,"failed":%d,"rate":19.5,"seconds_left":30}}`,
		status, processed, processed-failed, failed)
}

func TestReplayWatch(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		last   string
		status int
		says   string
	}{
		"delivered": {jobText("completed", 1000, 0), 0, ""},
		"failures":  {jobText("completed", 1000, 7), exitFailures, "reprise replay failed rpl_1"},
		"paused":    {jobText("paused", 500, 300), exitPaused, "over half failed"},
		"cancelled": {jobText("cancelled", 500, 0), exitStopped, "cancelled"},
		"failed":    {jobText("failed", 500, 0), exitStopped, "over half failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScripted(t, jobText("running", 0, 0), jobText("running", 480, 0), test.last)
			var out bytes.Buffer
			status, stderr := s.run(t, &out, "replay", "start", "rpl_1")
			if status != test.status || !strings.Contains(stderr, test.says) {
				t.Errorf("status %d, %q", status, stderr)
			}
			if s.calls[0] != "POST /api/v1/replays/rpl_1/start {}" {
				t.Errorf("calls: %q", s.calls)
			}
			if strings.ContainsAny(out.String(), "\r\x1b") || !strings.HasPrefix(out.String(), "rpl_1\n48%, 480 of 1,000, 480 delivered, 0 failed, 19.5/s, 30s left\n") {
				t.Errorf("plain lines: %q", out.String())
			}
		})
	}
}

func TestReplayCommands(t *testing.T) {
	t.Parallel()
	for command, call := range map[string]string{
		"pause rpl_1":               "POST /api/v1/replays/rpl_1/pause {}",
		"cancel rpl_1":              "POST /api/v1/replays/rpl_1/cancel {}",
		"rate rpl_1 --rate 5":       `PATCH /api/v1/replays/rpl_1 {"rate_limit":5}`,
		"status":                    "GET /api/v1/replays",
		"status rpl_1":              "GET /api/v1/replays/rpl_1",
		"status ../../x":            "GET /api/v1/replays/..%2F..%2Fx",
		"failed rpl_1":              "GET /api/v1/replays/rpl_1/failures",
		"failed rpl_1 --replay -d":  "POST /api/v1/replays/rpl_1/replay-failed {}",
		"failed rpl_1 --export csv": "GET /api/v1/replays/rpl_1/export?status=failed&format=csv",
		"plan --endpoint whk_1 --endpoint whk_2 --type a.* --from 2026-03-01T00:00:00Z --rate 20 --skip-delivered --note why": `POST /api/v1/replays ` +
			`{"dry_run":true,"endpoint_ids":["whk_1","whk_2"],"event_types":["a.*"],"from":"2026-03-01T00:00:00Z","note":"why","rate_limit":20,"skip_delivered":true}`,
		"start -d --rate 0": `POST /api/v1/replays {"dry_run":false,"rate_limit":0}`,
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			s := newScripted(t, jobText("completed", 1000, 7))
			var out bytes.Buffer
			status, stderr := s.run(t, &out, append([]string{"replay"}, strings.Fields(command)...)...)
			if status != 0 || len(s.calls) != 1 || s.calls[0] != call || out.Len() == 0 || strings.Contains(out.String(), "\x1b") {
				t.Errorf("status %d, calls %q, out %q, %q", status, s.calls, out.String(), stderr)
			}
		})
	}
	for _, bad := range []string{"pause", "failed rpl_1 --export xml", "failed rpl_1 --export csv --replay", "start rpl_1 --rate 5", "plan --from yesterday", "plan x"} {
		s := newScripted(t, "{}")
		if status, stderr := s.run(t, io.Discard, append([]string{"replay"}, strings.Fields(bad)...)...); status != 1 || stderr == "" || len(s.calls) != 0 {
			t.Errorf("%s: status %d, calls %q, %q", bad, status, s.calls, stderr)
		}
	}
}

// TestReplayPlanWaits: what is still being planned is shown when it is planned,
// and a job that starts then is watched on.
func TestReplayPlanWaits(t *testing.T) {
	t.Parallel()
	counting := `{"id":"rpl_1","status":"planning","plan":{"events":1200}}`
	for args, want := range map[string]string{
		"plan --type a": "Events       3400", "plan --type a --json": `"events": 3400`, "start --type a": "1,200 events so far",
	} {
		last := `{"id":"rpl_1","status":"planned","plan":{"events":3400}}`
		if strings.HasPrefix(args, "start") {
			last = jobText("completed", 1000, 0)
		}
		s := newScripted(t, counting, counting, counting, last)
		var out bytes.Buffer
		status, stderr := s.run(t, &out, append([]string{"replay"}, strings.Fields(args)...)...)
		if said := strings.ReplaceAll(out.String(), "3,400", "3400"); status != 0 || !strings.Contains(said, want) {
			t.Errorf("%s: status %d, %q, %q", args, status, out.String(), stderr)
		}
	}
}

func TestReplayTexts(t *testing.T) {
	t.Parallel()
	var j job
	if err := json.Unmarshal([]byte(`{"id":"rpl_1","status":"planned","rate_limit":20,"plan":{"events":1234567,"deliveries":9,"expected_seconds":90,
		"by_type":[{"event_type":"a\tb\u001b[2J","events":5}],"by_endpoint":[{"endpoint_id":"whk_1","name":"Shop","deliveries":9,"already_delivered":2}]}}`), &j); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := j.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Events       1,234,567", "Takes about  1m30s at 20/s", "whk_1     Shop  9           2", "a b [2J"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := writeFailures(&out, []failureRow{{Cause: "timeout", Count: 1200, Retrying: 3}}); err != nil || !strings.Contains(out.String(), "1,200  3         timeout") {
		t.Errorf("failures: %q, %v", out.String(), err)
	}
	now := time.Date(2026, 3, 8, 0, 0, 0, 0, time.UTC)
	for in, want := range map[string]string{"": "", "7d": "2026-03-01T00:00:00Z", "90m": "2026-03-07T22:30:00Z", "2026-03-01T00:00:00+01:00": "2026-03-01T00:00:00+01:00"} {
		if got, err := timeFlag("from", in, now); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
