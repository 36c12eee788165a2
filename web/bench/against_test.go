package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAlternately(t *testing.T) {
	t.Parallel()
	var order []string
	sides := []side{{name: "a"}, {name: "b"}, {name: "c"}}
	all, err := alternately(sides, 3, func(s side) (sample, error) {
		order = append(order, s.name)
		return sample{Side: s.name}, nil
	})
	if got := strings.Join(order, ""); err != nil || got != "abccbaabc" || len(all) != 9 || all[3].Side != "c" {
		t.Errorf("order %s, %d samples, %v", got, len(all), err)
	}
	broken := errors.New("broken")
	if _, err := alternately(sides, 3, func(side) (sample, error) { return sample{}, broken }); !errors.Is(err, broken) {
		t.Errorf("err = %v", err)
	}
}

func TestFiguresOf(t *testing.T) {
	t.Parallel()
	at := func(side string, perSecond, p99 float64) sample {
		return sample{Side: side, PerSecond: perSecond, outcome: outcome{Latency: latency{P99: p99}}}
	}
	got := figuresOf([]sample{
		at(bareSide, 1000, 10), at(singleSide, 600, 20), at(fanOutSide, 1500, 50),
		at(fanOutSide, 1000, 60), at(singleSide, 500, 40), at(bareSide, 2000, 10),
	}, saturationKinds)
	want := []figure{
		{
			Name: "share of the bare pipeline at saturation", Unit: "delivered/s", Ratio: 0.425, Ratios: []float64{0.6, 0.25},
			Of: value{singleSide, 550}, To: value{bareSide, 1500}, Bare: value{bareSide, 1500},
		},
		{
			Name: "p99 at saturation", Unit: "ms", Ratio: 3, Ratios: []float64{2, 4},
			Of: value{singleSide, 30}, To: value{bareSide, 10}, Bare: value{bareSide, 10},
		},
		{
			Name: "fan-out to five", Unit: "delivered/s", Ratio: 2.25, Ratios: []float64{2.5, 2},
			Of: value{fanOutSide, 1250}, To: value{singleSide, 550}, Bare: value{bareSide, 1500},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, part := range []string{"550", "1500", "2.250"} {
		if s := got[2].String(); !strings.Contains(s, part) {
			t.Errorf("%q does not tell %s", s, part)
		}
	}
}

func TestAgainst(t *testing.T) {
	t.Parallel()
	fake := &fakeGateway{}
	b := setup(t, fake)
	b.plan.Only, b.plan.Turns, b.plan.PacedTurn = []string{"share", "fanout", "split"}, 2, 100*time.Millisecond
	b.storage, b.machine = "embedded", thisMachine()
	stopped := 0
	stop := func() error {
		stopped++
		return nil
	}
	b.rivals = map[string]startRival{
		bareSide: func(ctx context.Context) (rival, error) {
			store, err := openPipelineSQLite(ctx, filepath.Join(t.TempDir(), "pipeline.db"))
			if err != nil {
				return rival{}, err
			}
			t.Cleanup(store.close)
			return rival{startBare(t, store, b.receiver, ""), processes{bareSide: os.Getpid()}, stop}, nil
		},
		halvesSide: func(ctx context.Context) (rival, error) {
			ingest, err := b.gateway.relay(ctx, "halves", b.receiver, 1)
			return rival{ingest, processes{"web": os.Getpid()}, stop}, err
		},
	}
	r, err := b.measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names, order []string
	for _, f := range r.Against.Figures {
		names = append(names, f.Name)
		if f.Storage != "embedded" || f.Machine != b.machine || f.Bare.Side != bareSide || f.Bare.Value <= 0 || f.Of.Value <= 0 || f.Ratio <= 0 {
			t.Errorf("%+v", f)
		}
	}
	if diff := cmp.Diff([]string{
		"share of the bare pipeline at saturation", "p99 at saturation", "fan-out to five", "web and two workers",
		"peak memory", "p50 at a steady rate", "p99 at a steady rate",
	}, names); diff != "" {
		t.Error(diff)
	}
	for _, s := range append(r.Against.Saturation, r.Against.Paced...) {
		order = append(order, s.Side)
		if s.Lost != 0 || s.Repeated != 0 || s.Altered != 0 || s.PerSecond <= 0 {
			t.Errorf("%+v", s)
		}
	}
	if diff := cmp.Diff([]string{
		bareSide, singleSide, fanOutSide, halvesSide, halvesSide, fanOutSide, singleSide, bareSide,
		bareSide, singleSide, singleSide, bareSide,
	}, order); diff != "" {
		t.Error(diff)
	}
	if got := r.Against.Saturation[2].Accepted; got != 300/fanOut {
		t.Errorf("%d events for five endpoints, want as many deliveries as of the others", got)
	}
	if stopped != 2 || len(b.procs) != 1 {
		t.Errorf("%d rivals were stopped, and %v are left", stopped, b.procs)
	}
	if r.Throughput.Accepted != 0 || r.Paced.Accepted != 0 || r.IdlePercent != nil || r.Replay != nil || r.Noisy != nil {
		t.Errorf("more than the plan's parts was measured: %+v", r)
	}
}

func TestFanOutCountsLosses(t *testing.T) {
	t.Parallel()
	b := setup(t, &fakeGateway{lose: 10})
	ingest, err := b.gateway.relay(t.Context(), "five", b.receiver, fanOut)
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.sample(t.Context(), side{fanOutSide, ingest, fanOut}, loadJob{Events: 300, Connections: 8})
	if err != nil || got.Accepted != 60 || got.Lost != 30 || got.Repeated != 0 {
		t.Errorf("%+v, %v; want 60 accepted and 30 deliveries lost", got, err)
	}
}

func TestRestrict(t *testing.T) {
	t.Parallel()
	var p plan
	if err := p.restrict(""); err != nil || !p.does("noisy") {
		t.Errorf("%v; all parts are measured unless some are named", err)
	}
	if err := p.restrict("share,idle"); err != nil || !p.does("fanout", "share") || !p.does("idle") || p.does("fanout", "noisy") {
		t.Errorf("%v, %v", err, p.Only)
	}
	if err := p.restrict("share,speed"); err == nil || !strings.Contains(err.Error(), `"speed" is none of throughput`) {
		t.Errorf("err = %v", err)
	}
}

func TestThisMachine(t *testing.T) {
	t.Parallel()
	m := thisMachine()
	if m.CPU == "" || m.Cores < 1 || m.Kernel == "" || !strings.HasPrefix(m.Go, "go") || m.MemoryGiB <= 0 {
		t.Errorf("%+v", m)
	}
	s := machine{CPU: "Fast One", Cores: 2, Kernel: "6.1.0", Go: "go1.26", MemoryGiB: 7.8}.String()
	if s != "Fast One, 2 cores, 7.8 GiB, Linux 6.1.0, go1.26" {
		t.Error(s)
	}
}

func TestBystanders(t *testing.T) {
	t.Parallel()
	before, err := readBystanders()
	if err != nil || before.other <= 0 {
		t.Fatalf("%+v, %v", before, err)
	}
	hundred := bystanders{other: before.other + 100, stolen: before.stolen}
	cores := float64(thisMachine().Cores)
	if other, stolen := hundred.share(before, 1); other != round(100/cores, 1) || stolen != 0 {
		t.Errorf("a second of CPU time in a second is %g %% of %g cores, and %g stolen", other, cores, stolen)
	}
}

func TestCalm(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		does string
		want bool
	}{"busy": {"while :; do :; done", false}, "idle": {"read x", true}} {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", tc.does)
		stdin, err := cmd.StdinPipe() // that idle reads from
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		b := &bench{plan: plan{Calm: 2 * time.Second}, procs: processes{name: cmd.Process.Pid}}
		start := time.Now()
		err = b.calm(t.Context())
		if early := time.Since(start) < b.plan.Calm; err != nil || early != tc.want {
			t.Errorf("%s: over early %v, %v", name, early, err)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = stdin.Close()
	}
}
