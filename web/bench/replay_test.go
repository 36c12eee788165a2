package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReplaying(t *testing.T) {
	t.Parallel()
	fake := &fakeGateway{job: fakeJob{slows: 30 * time.Millisecond}}
	b := setup(t, fake)
	b.plan.Due, b.plan.Replay, b.plan.ReplayRate = 0, 1000, 1000
	r, err := b.measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := r.Replay
	turns := b.turns()
	if got.Events != 1000 || got.Repeated != 0 || turns < 4 || len(got.Turns) != turns || fake.job.starts != 2+turns/2 {
		t.Errorf("%d turns, %d starts: %+v", turns, fake.job.starts, got)
	}
	for name, o := range map[string]outcome{"live": got.Live, "alone": got.Alone} {
		if o.Accepted != turns*20 || o.Lost != 0 || o.Repeated != 0 || len(o.Refused) != 0 {
			t.Errorf("%s: %+v, want %d accepted", name, o, turns*20)
		}
	}
	for i, turn := range got.Turns {
		if turn.Alone.P50 <= 0 || turn.Beside.P50 < 30 {
			t.Errorf("turn %d: %+v", i, turn)
		}
	}
	if got.Alone.Latency.P50 >= 30 || got.Live.Latency.P50 < 30 || got.Ratio.P50 <= 1 || got.Pooled.P50 <= 1 || got.PerSecond <= 0 {
		t.Errorf("%+v", got)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	alone := []latency{{P50: 1, P90: 2, P99: 4}, {P50: 1, P90: 2, P99: 400}, {P50: 2, P90: 4, P99: 5}}
	beside := []latency{{P50: 1.1, P90: 2, P99: 5}, {P50: 1.2, P90: 1, P99: 5}, {P50: 2, P90: 8, P99: 50}}
	got := compare(alone, beside)
	if diff := cmp.Diff(ratio{P50: 1.1, P90: 1, P99: 1.25}, got.Ratio); diff != "" {
		t.Error(diff)
	}
	if len(got.Turns) != 3 || got.Turns[1] != (turn{Alone: alone[1], Beside: beside[1]}) {
		t.Errorf("turns = %+v", got.Turns)
	}
	if got := compare(alone[:2], beside[:2]).Ratio.P50; got != 1.15 {
		t.Errorf("the median of 1.1 and 1.2 is %g", got)
	}
	if diff := cmp.Diff(comparison{}, compare(nil, nil)); diff != "" {
		t.Error(diff)
	}
}
