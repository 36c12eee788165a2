package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// replayed is what a replay job did, and what it did to live deliveries.
type replayed struct {
	Events       int     `json:"events"`
	Repeated     int     `json:"repeated"`   // arrivals of the replayed events beyond the second
	PerSecond    float64 `json:"per_second"` // of the job, beside the last live events
	MegabytesIn  float64 `json:"server_rss_mb_before"`
	MegabytesOut float64 `json:"server_rss_mb_after"`
	// Ratios of the live latency beside the job to the latency while it is
	// paused, measured by turns.
	RatioP50 float64 `json:"live_p50_ratio"`
	RatioP90 float64 `json:"live_p90_ratio"`
	RatioP99 float64 `json:"live_p99_ratio"`
	Live     outcome `json:"live"`
	Alone    outcome `json:"live_alone"`
}

// replaying posts events and replays them all as one job to their endpoint.
// Meanwhile it posts live events at the paced rate, by turns beside the job
// and with the job paused, so that both meet the same database, equally full,
// on the same machine, equally busy with other things.
func (b *bench) replaying(ctx context.Context, r *result) error {
	if b.plan.Replay == 0 {
		return nil
	}
	b.say("replay: a job of %d events beside %g live ones a second", b.plan.Replay, b.plan.PerSecond)
	source, ingest, err := b.gateway.source(ctx, "replay")
	if err != nil {
		return err
	}
	endpoint, err := b.gateway.endpoint(ctx, "replayed", "http://"+b.receiver+"/hook", source)
	if err != nil {
		return err
	}
	past := loadJob{URL: ingest, Run: "past", Events: b.plan.Replay, Size: b.plan.Size, Connections: b.plan.Connections}
	filled, err := b.load(ctx, past)
	if err != nil {
		return err
	}
	if err := b.arrivals(ctx, filled.Accepted); err != nil {
		return err
	}
	if err := b.season(); err != nil {
		return err
	}
	var out replayed
	if out.MegabytesIn, err = megabytes(b.procs["server"], "VmRSS"); err != nil {
		return err
	}
	job, err := b.gateway.replay(ctx, endpoint, b.plan.ReplayRate)
	if err != nil {
		return err
	}
	var alone, beside pieces
	for range b.turns() {
		if err := b.gateway.turn(ctx, job, "pause"); err != nil {
			return err
		}
		sleepUntil(ctx, time.Now().Add(turnTime)) // what is under way ends
		if err := b.piece(ctx, "alone", &alone); err != nil {
			return err
		}
		if err := b.gateway.turn(ctx, job, "resume"); err != nil {
			return err
		}
		sleepUntil(ctx, time.Now().Add(turnTime))
		if err := b.measured(ctx, job, &out, func() error { return b.piece(ctx, "beside", &beside) }); err != nil {
			return err
		}
	}
	if err := b.gateway.replayEnd(ctx, job); err != nil {
		return err
	}
	if out.MegabytesOut, err = megabytes(b.procs["server"], "VmRSS"); err != nil {
		return err
	}
	seen, err := b.stats(ctx, "past")
	if err != nil {
		return err
	}
	out.Events, out.Repeated = filled.Accepted, seen.Repeated-filled.Accepted
	out.Alone, out.Live = outcomeOf(alone.sent, alone.got), outcomeOf(beside.sent, beside.got)
	out.RatioP50 = round(out.Live.Latency.P50/out.Alone.Latency.P50, 2)
	out.RatioP90 = round(out.Live.Latency.P90/out.Alone.Latency.P90, 2)
	out.RatioP99 = round(out.Live.Latency.P99/out.Alone.Latency.P99, 2)
	r.Replay = &out
	return nil
}

const (
	turnTime  = time.Second
	pieceTime = 5 * time.Second
)

// turns is how often live events are measured beside a job that lasts long
// enough for that.
func (b *bench) turns() int {
	job := time.Duration(b.plan.Replay) * time.Second / time.Duration(b.plan.ReplayRate)
	return max(int(job/(pieceTime+turnTime+time.Second)), 1)
}

// pieces are measurements of one thing, taken one after another.
type pieces struct {
	sent loadResult
	got  receiverStats
}

// piece posts live events for a while and adds them to what was posted before.
func (b *bench) piece(ctx context.Context, run string, all *pieces) error {
	job := b.pacedJob()
	job.Run, job.First, job.Events = run, all.sent.Accepted, int(b.plan.PerSecond*pieceTime.Seconds())
	sent, got, err := b.deliver(ctx, job)
	all.sent.Accepted += sent.Accepted
	all.sent.Acks = append(all.sent.Acks, sent.Acks...)
	for status, n := range sent.Refused {
		if all.sent.Refused == nil {
			all.sent.Refused = map[string]int{}
		}
		all.sent.Refused[status] += n
	}
	all.got = got
	return err
}

// measured notes how quick a job is while something goes on beside it. The job
// must not end meanwhile.
func (b *bench) measured(ctx context.Context, job string, out *replayed, do func() error) error {
	before, err := b.gateway.replayState(ctx, job)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := do(); err != nil {
		return err
	}
	after, err := b.gateway.replayState(ctx, job)
	if err != nil {
		return err
	}
	if after.Status != "running" {
		return fmt.Errorf("the replay job is %s while live events are measured beside it: %s", after.Status, after.Reason)
	}
	out.PerSecond = round(float64(after.Progress.Processed-before.Progress.Processed)/time.Since(start).Seconds(), 0)
	return nil
}

// arrivals waits until each of n past events has arrived.
func (b *bench) arrivals(ctx context.Context, n int) error {
	deadline := time.Now().Add(10 * time.Minute)
	for {
		got, err := b.stats(ctx, "past")
		if err != nil || got.Arrived >= n {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d events to be replayed have arrived", got.Arrived, n)
		}
		sleepUntil(ctx, time.Now().Add(100*time.Millisecond))
	}
}

// replay starts a job over everything that an endpoint may get.
func (g gateway) replay(ctx context.Context, endpoint string, rate int) (id string, err error) {
	var made struct {
		ID string `json:"id"`
	}
	err = g.call(ctx, http.MethodPost, "/api/v1/replays", map[string]any{
		"endpoint_id": endpoint, "rate_limit": rate, "from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z",
	}, &made)
	return made.ID, err
}

// turn pauses or resumes a job.
func (g gateway) turn(ctx context.Context, job, how string) error {
	return g.call(ctx, http.MethodPost, "/api/v1/replays/"+job+"/"+how, nil, nil)
}

type replayState struct {
	Status   string `json:"status"`
	Reason   string `json:"reason"`
	Progress struct {
		Processed int `json:"processed"`
	} `json:"progress"`
}

func (g gateway) replayState(ctx context.Context, job string) (state replayState, err error) {
	err = g.call(ctx, http.MethodGet, "/api/v1/replays/"+job, nil, &state)
	return state, err
}

// replayEnd waits for the end of a job.
func (g gateway) replayEnd(ctx context.Context, job string) error {
	for {
		state, err := g.replayState(ctx, job)
		if err != nil {
			return err
		}
		switch state.Status {
		case "completed":
			return nil
		case "running":
			sleepUntil(ctx, time.Now().Add(250*time.Millisecond))
		default:
			return fmt.Errorf("the replay job is %s: %s", state.Status, state.Reason)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
