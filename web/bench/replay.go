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
	PerSecond    float64 `json:"per_second"` // of the job, from start to end
	MegabytesIn  float64 `json:"server_rss_mb_before"`
	MegabytesOut float64 `json:"server_rss_mb_after"`
	// Ratios of the live latency beside the job to the latency alone, from
	// the same run.
	RatioP50 float64 `json:"live_p50_ratio"`
	RatioP99 float64 `json:"live_p99_ratio"`
	Live     outcome `json:"live"`
}

// replaying posts events, replays them all as one job to their endpoint, and
// meanwhile posts live events at the paced rate.
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
	var out replayed
	if out.MegabytesIn, err = megabytes(b.procs["server"], "VmRSS"); err != nil {
		return err
	}
	job, err := b.gateway.replay(ctx, endpoint, b.plan.ReplayRate)
	if err != nil {
		return err
	}
	start := time.Now()
	sent, got, err := b.deliver(ctx, b.pacedJob())
	if err != nil {
		return err
	}
	if err := b.gateway.replayEnd(ctx, job); err != nil {
		return err
	}
	took := time.Since(start).Seconds()
	if out.MegabytesOut, err = megabytes(b.procs["server"], "VmRSS"); err != nil {
		return err
	}
	seen, err := b.stats(ctx, "past")
	if err != nil {
		return err
	}
	out.Events, out.Repeated, out.PerSecond = filled.Accepted, seen.Repeated-filled.Accepted, round(float64(filled.Accepted)/took, 0)
	out.Live = outcomeOf(sent, got)
	out.RatioP50 = round(out.Live.Latency.P50/r.Paced.Latency.P50, 2)
	out.RatioP99 = round(out.Live.Latency.P99/r.Paced.Latency.P99, 2)
	r.Replay = &out
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

// replayEnd waits for the end of a job.
func (g gateway) replayEnd(ctx context.Context, id string) error {
	for {
		var job struct {
			Status string `json:"status"`
			Reason string `json:"reason"`
		}
		if err := g.call(ctx, http.MethodGet, "/api/v1/replays/"+id, nil, &job); err != nil {
			return err
		}
		switch job.Status {
		case "completed":
			return nil
		case "running":
			sleepUntil(ctx, time.Now().Add(250*time.Millisecond))
		default:
			return fmt.Errorf("the replay job is %s: %s", job.Status, job.Reason)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
