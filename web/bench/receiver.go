package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// receiver is the endpoint: POST /hook takes deliveries, and so does /hook/N, where
// those of RUN count as RUN/N. GET /stats/RUN,RUN… tells what arrived in all of
// these, /hang never answers.
type receiver struct {
	mu      sync.Mutex
	runs    map[string]*arrivals
	altered int
	hung    chan struct{}
}

// arrivals are the deliveries of one measurement.
type arrivals struct {
	seen      []bool
	latencies []int64
	repeated  int
	last      int64
}

// receiverStats is the answer of /stats.
type receiverStats struct {
	Arrived  int     `json:"arrived"`  // different events
	Repeated int     `json:"repeated"` // deliveries beyond the first of an event
	Altered  int     `json:"altered"`  // bodies that are not what was sent, over all measurements
	Last     int64   `json:"last_ns"`  // of the first delivery of an event
	Latency  latency `json:"latency_ms"`
}

func newReceiver() *receiver {
	return &receiver{runs: map[string]*arrivals{}, hung: make(chan struct{})}
}

func (r *receiver) serve(ctx context.Context, l net.Listener) error {
	server := &fasthttp.Server{Handler: r.handle, NoDefaultServerHeader: true, MaxRequestBodySize: 16 << 20}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	close(r.hung)
	stop, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = server.ShutdownWithContext(stop) // idle connections may stay; the process ends
	return nil
}

func (r *receiver) handle(c *fasthttp.RequestCtx) {
	path := string(c.Path())
	switch run, stats := strings.CutPrefix(path, "/stats/"); {
	case stats:
		c.SetContentType("application/json")
		_ = json.NewEncoder(c).Encode(r.stats(run)) // into memory
	case path == "/hang":
		<-r.hung
	default:
		r.record(strings.TrimPrefix(path, "/hook"), c.PostBody(), time.Now().UnixNano())
	}
}

var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 4096); return &b }}

func (r *receiver) record(at string, body []byte, now int64) {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	m, ok := parse(body, *buf)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !ok {
		r.altered++
		return
	}
	run := m.run + at
	a := r.runs[run]
	if a == nil {
		a = &arrivals{}
		r.runs[run] = a
	}
	for len(a.seen) <= m.seq {
		a.seen = append(a.seen, make([]bool, max(1024, m.seq+1-len(a.seen)))...)
	}
	if a.seen[m.seq] {
		a.repeated++
		return
	}
	a.seen[m.seq] = true
	a.last = now
	a.latencies = append(a.latencies, now-m.sent)
}

func (r *receiver) stats(runs string) receiverStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	stats := receiverStats{Altered: r.altered}
	var latencies []int64
	for run := range strings.SplitSeq(runs, ",") {
		a := r.runs[run]
		if a == nil {
			continue
		}
		stats.Arrived += len(a.latencies)
		stats.Repeated += a.repeated
		stats.Last = max(stats.Last, a.last)
		latencies = append(latencies, a.latencies...)
	}
	stats.Latency = latencyOf(latencies)
	return stats
}

// fetchStats asks a receiver for its stats.
func fetchStats(ctx context.Context, address, run string) (receiverStats, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/stats/"+run, nil)
	if err != nil {
		return receiverStats{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return receiverStats{}, err
	}
	defer resp.Body.Close()
	var stats receiverStats
	err = json.NewDecoder(resp.Body).Decode(&stats)
	return stats, err
}
