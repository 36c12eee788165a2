package main

import (
	"context"
	"net"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/web/api"
)

// setup runs a receiver and a fake gateway, and a bench between them with the
// load client in this process.
func setup(t *testing.T, fake *fakeGateway) *bench {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- newReceiver().serve(ctx, l) }()
	server := httptest.NewServer(fake)
	t.Cleanup(func() {
		server.Close()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		fake.wait(t)
	})
	address := l.Addr().String()
	return &bench{
		plan: plan{
			Deliveries: 300, Size: 2000, Connections: 8, PerSecond: 200, Paced: 250 * time.Millisecond,
			Idle: 20 * time.Millisecond, Due: 20, Settle: 50 * time.Millisecond, Stall: 300 * time.Millisecond,
			Piece: 100 * time.Millisecond, Turn: 10 * time.Millisecond,
			Only: []string{"throughput", "idle", "paced", "replay", "noisy"},
		},
		gateway:  gateway{api.Client{URL: server.URL, Key: apiKey}},
		receiver: address,
		load:     load,
		stats: func(ctx context.Context, run string) (receiverStats, error) {
			return fetchStats(ctx, address, run)
		},
		procs:  processes{"server": os.Getpid()},
		season: func() error { return nil },
		say:    t.Logf,
	}
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	r, err := setup(t, &fakeGateway{}).measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		got  outcome
		want int
	}{
		"throughput":          {r.Throughput.outcome, 300},
		"paced":               {r.Paced, 50},
		"refusing neighbour":  {r.Noisy[0].outcome, 50},
		"answerless neighour": {r.Noisy[1].outcome, 50},
	} {
		if tc.got.Accepted != tc.want || tc.got.Lost != 0 || tc.got.Repeated != 0 || tc.got.Altered != 0 || len(tc.got.Refused) != 0 {
			t.Errorf("%s: %+v, want %d accepted and nothing lost, repeated, altered or refused", name, tc.got, tc.want)
		}
		if l := tc.got.Latency; l.P50 <= 0 || l.P50 > l.P99 || l.P99 > l.Max {
			t.Errorf("%s: latency %+v", name, l)
		}
	}
	if r.Throughput.DeliveredPerSecond <= 0 || r.Throughput.PeakMegabytes <= 0 || r.Throughput.CPUSeconds["server"] <= 0 {
		t.Errorf("throughput = %+v", r.Throughput)
	}
}

func TestMeasureCountsLossesAndRepeats(t *testing.T) {
	t.Parallel()
	b := setup(t, &fakeGateway{lose: 10, copies: 2})
	b.plan.Due = 0
	r, err := b.measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Throughput; got.Lost != 30 || got.Repeated != 270 {
		t.Errorf("lost %d and repeated %d, want 30 and 270", got.Lost, got.Repeated)
	}
}

func TestLoadCountsRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t, &fakeGateway{})
	got, err := load(t.Context(), loadJob{URL: b.gateway.URL + "/api/v1/sources", Events: 5, Connections: 2})
	if err == nil || got.Refused["401"] != 5 {
		t.Errorf("load = %+v, %v; want 5 answers of 401 and an error", got, err)
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	var scratch []byte
	for _, size := range []int{0, 200, 2000, 10_000} {
		want := message{run: "run-7", seq: 31, sent: 1_700_000_000_123_456_789}
		body := want.appendTo(nil, size)
		if size > 0 && len(body) != size {
			t.Errorf("a body of %d bytes has %d", size, len(body))
		}
		got, ok := parse(body, scratch)
		if !ok || got != want {
			t.Errorf("parse = %+v, %v, want %+v", got, ok, want)
		}
		for at := range body {
			body[at] ^= 1
			if m, ok := parse(body, scratch); ok && m == want {
				t.Fatalf("a change of byte %d of %d is not noticed", at, len(body))
			}
			body[at] ^= 1
		}
		if _, ok := parse(body[:len(body)-1], scratch); ok {
			t.Error("a cut body is not noticed")
		}
	}
}

func TestLatencyOf(t *testing.T) {
	t.Parallel()
	ns := make([]int64, 1000)
	for i := range ns {
		ns[i] = int64(1000-i) * 1e6
	}
	want := latency{P50: 500, P90: 900, P99: 990, Max: 1000}
	if diff := cmp.Diff(want, latencyOf(ns)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(latency{P50: 3, P90: 3, P99: 3, Max: 3}, latencyOf([]int64{3e6})); diff != "" {
		t.Error(diff)
	}
}
