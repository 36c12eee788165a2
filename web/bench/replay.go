package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// replayed is what a replay job did, and what it did to live deliveries.
type replayed struct {
	Events       int     `json:"events"`
	Repeated     int     `json:"repeated"`   // arrivals of the replayed events beyond the second
	PerSecond    float64 `json:"per_second"` // of the job, beside the last live events
	MegabytesIn  float64 `json:"server_rss_mb_before"`
	MegabytesOut float64 `json:"server_rss_mb_after"`
	comparison
	Live  outcome `json:"live"`
	Alone outcome `json:"live_alone"`
}

// replaying posts events and replays them all as one job to their endpoint.
// Meanwhile it posts live events at the paced rate, by turns beside the job
// and with the job paused, so that both meet the same database, equally full,
// on the same machine, equally busy with other things.
func (b *bench) replaying(ctx context.Context, r *result) error {
	if b.plan.Replay == 0 || !b.plan.does("replay") {
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
	if err := b.alternate(ctx, job, &out); err != nil {
		return err
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
	r.Replay = &out
	return nil
}

// alternate measures live events by turns with the job paused and beside it.
// Each turn begins as the one before ended, so that what gets better or worse
// with time falls on both alike.
func (b *bench) alternate(ctx context.Context, job string, out *replayed) error {
	var alone, beside pieces
	runs := true
	turnTo := func(running bool) error {
		if running == runs {
			return nil
		}
		how := "pause"
		if running {
			how = "resume"
		}
		if err := b.gateway.turn(ctx, job, how); err != nil {
			return err
		}
		runs = running
		sleepUntil(ctx, time.Now().Add(b.plan.Turn)) // what is under way ends
		return nil
	}
	for turn := range b.turns() {
		first := turn%2 == 1
		for _, running := range []bool{first, !first} {
			err := turnTo(running)
			switch {
			case err != nil:
			case running:
				err = b.measured(ctx, job, out, func() error { return b.piece(ctx, "beside", &beside) })
			default:
				err = b.piece(ctx, "alone", &alone)
			}
			if err != nil {
				return err
			}
		}
	}
	err := turnTo(true)
	if err != nil {
		return err
	}
	if out.Alone, err = b.outcome(ctx, alone); err != nil {
		return err
	}
	if out.Live, err = b.outcome(ctx, beside); err != nil {
		return err
	}
	out.comparison = compare(alone.latencies, beside.latencies)
	out.Pooled = out.Live.Latency.over(out.Alone.Latency)
	return nil
}

// turns is how often live events are measured beside a job that lasts long
// enough for that.
func (b *bench) turns() int {
	job := time.Duration(b.plan.Replay) * time.Second / time.Duration(b.plan.ReplayRate)
	return max(int(job/(b.plan.Piece+b.plan.Turn+b.plan.Settle+b.plan.Piece/10)), 1)
}

// pieces are measurements of one thing, taken one after another.
type pieces struct {
	runs      []string
	sent      loadResult
	latencies []latency
}

// piece posts live events for a while and adds them to what was posted before.
func (b *bench) piece(ctx context.Context, name string, all *pieces) error {
	job := b.pacedJob()
	job.Run, job.Events = fmt.Sprintf("%s-%d", name, len(all.runs)), int(b.plan.PerSecond*b.plan.Piece.Seconds())
	sent, got, err := b.deliver(ctx, job)
	all.runs = append(all.runs, job.Run)
	all.latencies = append(all.latencies, got.Latency)
	all.sent.Accepted += sent.Accepted
	all.sent.Acks = append(all.sent.Acks, sent.Acks...)
	for status, n := range sent.Refused {
		if all.sent.Refused == nil {
			all.sent.Refused = map[string]int{}
		}
		all.sent.Refused[status] += n
	}
	return err
}

// outcome is what became of all pieces together.
func (b *bench) outcome(ctx context.Context, all pieces) (outcome, error) {
	got, err := b.stats(ctx, strings.Join(all.runs, ","))
	return outcomeOf(all.sent, got), err
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
