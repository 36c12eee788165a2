package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/dbtest"
)

const testKey = "rp_test_key_of_the_default_project"

// binary builds the real program once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "reprise-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "reprise")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// program is the real binary with its settings; it can be killed and started
// again on the same data.
type program struct {
	t   *testing.T
	URL string
	env []string
	cmd *exec.Cmd
	log *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// backends are the two ways to run: embedded, and on servers.
func onBackends(t *testing.T, test func(t *testing.T, p *program)) {
	t.Helper()
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, newProgram(t))
	})
	t.Run("servers", func(t *testing.T) {
		t.Parallel()
		test(t, newProgram(t, "DATABASE_URL="+dbtest.Postgres(t), "REDIS_URL="+dbtest.Redis(t)))
	})
}

// newProgram prepares a program on a free port with a database of its own.
func newProgram(t *testing.T, env ...string) *program {
	t.Helper()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	p := &program{t: t, URL: "http://" + addr, log: &syncBuffer{}}
	p.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "REPRISE_ADDR=" + addr, "DATABASE_URL=sqlite://" + filepath.Join(t.TempDir(), "r.db"),
		"REPRISE_API_KEY=" + testKey, "REPRISE_EGRESS_ALLOW=127.0.0.0/8", "REPRISE_RETRY_SCALE=0.001", "REPRISE_API_RATE_PER_MINUTE=0",
		"REPRISE_SECRET_KEY=" + strings.Repeat("ab", 32),
	}, env...)
	t.Cleanup(func() {
		if p.cmd != nil {
			p.kill()
		}
		if t.Failed() {
			t.Logf("the program said:\n%s", p.log)
		}
	})
	return p
}

func (p *program) command(args ...string) *exec.Cmd {
	path, err := binary()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = p.env
	cmd.Stderr = p.log
	return cmd
}

// start runs `serve` and waits until it is ready; it returns how long that took.
func (p *program) start(args ...string) {
	p.t.Helper()
	p.startAs("serve", args...)
}

// startAs is start with another command than serve.
func (p *program) startAs(command string, args ...string) {
	p.t.Helper()
	p.cmd = p.command(append([]string{command}, args...)...)
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.eventually("the program is ready", func() bool {
		resp, err := http.Get(p.URL + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.cmd = nil
}

// stop ends the program as an operator would and returns its exit status.
func (p *program) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	code := p.cmd.ProcessState.ExitCode()
	p.cmd = nil
	return code
}

// call calls the API and decodes the answer's data into out, if there is one.
func (p *program) call(method, path string, body, out any) int {
	p.t.Helper()
	status, err := p.tryCall(method, path, body, out)
	if err != nil {
		p.t.Fatal(err)
	}
	return status
}

func (p *program) tryCall(method, path string, body, out any) (int, error) {
	var sent io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		sent = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, p.URL+"/api/v1"+path, sent)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || out == nil || resp.StatusCode >= 300 {
		return resp.StatusCode, err
	}
	return resp.StatusCode, json.Unmarshal(raw, out)
}

type answer[T any] struct {
	Data       T      `json:"data"`
	NextCursor string `json:"next_cursor"`
}

type thing struct {
	ID       string `json:"id"`
	Slug     string `json:"slug"`
	URL      string `json:"url"`
	Status   string `json:"status"`
	EventID  string `json:"event_id"`
	Attempts int    `json:"attempts"`
}

// source makes a source that checks nothing and returns its ingest URL.
func (p *program) source(slug string) string {
	p.t.Helper()
	if status := p.call("POST", "/sources", map[string]any{"name": slug, "slug": slug}, nil); status != http.StatusCreated {
		p.t.Fatalf("creating a source: %d", status)
	}
	return p.URL + "/in/" + slug
}

func (p *program) endpoint(url string, more map[string]any) string {
	p.t.Helper()
	body := map[string]any{"name": "test", "url": url}
	for k, v := range more {
		body[k] = v
	}
	var made answer[thing]
	if status := p.call("POST", "/endpoints", body, &made); status != http.StatusCreated {
		p.t.Fatalf("creating an endpoint: %d", status)
	}
	return made.Data.ID
}

// list reads every page of a list.
func (p *program) list(path string) []thing {
	p.t.Helper()
	var all []thing
	cursor := ""
	for {
		var page answer[[]thing]
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		if status := p.call("GET", path+sep+"limit=100&cursor="+cursor, nil, &page); status != http.StatusOK {
			p.t.Fatalf("listing %s: %d", path, status)
		}
		all = append(all, page.Data...)
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}

// eventually polls until ok, for as long as a slow machine may need.
func (p *program) eventually(what string, ok func() bool) {
	p.t.Helper()
	deadline := time.NewTimer(90 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			p.t.Fatalf("not in time: %s", what)
		}
	}
}
