package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
)

// TestMemoryUnderLoad has a replay job run while events come in, for endpoints of which
// one is dead and one answers with more than anybody wants to keep. The program never
// has more than 256 MB in memory.
func TestMemoryUnderLoad(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		const events, most = 240, 256
		p.start()
		sink := newSink(t)
		large := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			chunk := make([]byte, 64<<10)
			for range 160 { // 10 MB, if anybody reads them
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}))
		t.Cleanup(large.Close)
		target := p.source("memory")
		endpoint := p.endpoint(sink.URL, nil)
		p.endpoint(large.URL, nil)
		p.endpoint("http://127.0.0.1:9/", nil)
		send := func(n int) {
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for range n / 8 {
						post(t, target, fmt.Sprintf(`{"type":"a","pad":"%s"}`, strings.Repeat("x", 64<<10)), nil)
					}
				})
			}
			all.Wait()
		}
		send(events)
		p.eventually("they arrive", func() bool { return sink.total.Load() >= events })
		var made answer[jobThing]
		status := p.call("POST", "/replays", map[string]any{"endpoint_id": endpoint, "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}, &made)
		if status != http.StatusAccepted {
			t.Fatalf("starting the job: %d", status)
		}
		send(events)
		p.eventually("the job completes", func() bool { return p.job(made.Data.ID).Status == "completed" })
		peak := p.peakMegabytes()
		t.Logf("%d MB at most", peak)
		if peak > most {
			t.Errorf("it had %d MB in memory, want %d at most", peak, most)
		}
	})
}

// peakMegabytes is the most memory that the program ever had resident.
func (p *program) peakMegabytes() (peak int) {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	if _, err := fmt.Sscan(rest, &peak); err != nil {
		p.t.Fatal(err)
	}
	return peak >> 10
}
