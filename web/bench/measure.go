package main

import (
	"context"
	"fmt"
	"time"
)

// plan is how much is measured.
type plan struct {
	Deliveries  int           // of the throughput
	Size        int           // of an event, bytes
	Connections int           // of the load client
	PerSecond   float64       // of the paced load
	Paced       time.Duration // how long it lasts
	Idle        time.Duration
	Due         int           // deliveries of the dead endpoint
	Replay      int           // events of the replay job
	ReplayRate  int           // of the job, deliveries a second
	Piece       time.Duration // live events are posted for, before the job is paused or resumed
	Turn        time.Duration // after that
	Settle      time.Duration // after the last arrival, for those that come twice
	Stall       time.Duration // without an arrival, after which the rest is lost
}

// bench is a running set-up.
type bench struct {
	plan     plan
	gateway  gateway
	receiver string // host:port
	load     func(context.Context, loadJob) (loadResult, error)
	stats    func(ctx context.Context, run string) (receiverStats, error)
	season   func() error // makes the database like one that has run for a while
	procs    processes
	say      func(format string, args ...any)

	ingest string // of the main source
	runs   int
}

// measure takes every measurement once.
func (b *bench) measure(ctx context.Context) (result, error) {
	var r result
	source, ingest, err := b.gateway.source(ctx, "bench")
	if err != nil {
		return r, err
	}
	b.ingest = ingest
	if _, err := b.gateway.endpoint(ctx, "receiver", "http://"+b.receiver+"/hook", source); err != nil {
		return r, err
	}
	b.say("warming up")
	if _, _, err := b.deliver(ctx, loadJob{Events: min(1000, b.plan.Deliveries), Connections: b.plan.Connections}); err != nil {
		return r, err
	}
	steps := []func(context.Context, *result) error{b.throughput, b.idle, b.paced, b.replaying, b.noisy}
	for _, step := range steps {
		if err := step(ctx, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// throughput posts as quickly as it is accepted.
func (b *bench) throughput(ctx context.Context, r *result) error {
	b.say("throughput: %d deliveries of %d bytes, %d connections", b.plan.Deliveries, b.plan.Size, b.plan.Connections)
	before, err := b.procs.cpuSeconds()
	if err != nil {
		return err
	}
	sent, got, err := b.deliver(ctx, loadJob{Events: b.plan.Deliveries, Connections: b.plan.Connections})
	if err != nil {
		return err
	}
	after, err := b.procs.cpuSeconds()
	if err != nil {
		return err
	}
	peak, err := megabytes(b.procs["server"], "VmHWM")
	if err != nil {
		return err
	}
	r.Throughput = throughput{
		outcome:            outcomeOf(sent, got),
		AcceptedPerSecond:  round(float64(sent.Accepted)/sent.Seconds, 0),
		DeliveredPerSecond: round(float64(got.Arrived)/(float64(got.Last-sent.Start)/1e9), 0),
		CPUSeconds:         difference(before, after),
		PeakMegabytes:      peak,
	}
	return nil
}

// idle waits and counts the CPU time meanwhile.
func (b *bench) idle(ctx context.Context, r *result) error {
	b.say("idle for %s", b.plan.Idle)
	before, err := b.procs.cpuSeconds()
	if err != nil {
		return err
	}
	start := time.Now()
	sleepUntil(ctx, start.Add(b.plan.Idle))
	after, err := b.procs.cpuSeconds()
	if err != nil {
		return err
	}
	r.IdlePercent = difference(before, after)
	for name, seconds := range r.IdlePercent {
		r.IdlePercent[name] = round(100*seconds/time.Since(start).Seconds(), 2)
	}
	return nil
}

// paced posts at a fixed rate.
func (b *bench) paced(ctx context.Context, r *result) error {
	b.say("paced: %g a second for %s", b.plan.PerSecond, b.plan.Paced)
	sent, got, err := b.deliver(ctx, b.pacedJob())
	r.Paced = outcomeOf(sent, got)
	return err
}

// noisy posts at the same rate while another endpoint is dead and has many
// deliveries due.
func (b *bench) noisy(ctx context.Context, r *result) error {
	if b.plan.Due == 0 {
		return nil
	}
	nobody, err := freeAddress()
	if err != nil {
		return err
	}
	for _, dead := range []struct{ how, url string }{{"refuses connections", "http://" + nobody}, {"never answers", "http://" + b.receiver + "/hang"}} {
		b.say("noisy neighbour: %d deliveries due to an endpoint that %s", b.plan.Due, dead.how)
		o, err := b.besideDead(ctx, dead.url)
		if err != nil {
			return err
		}
		r.Noisy = append(r.Noisy, noisy{Endpoint: dead.how, Due: b.plan.Due, outcome: o})
	}
	return nil
}

func (b *bench) besideDead(ctx context.Context, url string) (outcome, error) {
	source, ingest, err := b.gateway.source(ctx, fmt.Sprintf("noise %d", b.runs))
	if err != nil {
		return outcome{}, err
	}
	endpoint, err := b.gateway.endpoint(ctx, "dead", url, source)
	if err != nil {
		return outcome{}, err
	}
	// Paused, so that all become due at the same moment.
	if err := b.gateway.pause(ctx, endpoint); err != nil {
		return outcome{}, err
	}
	noise := loadJob{URL: ingest, Run: "noise", Events: b.plan.Due, Size: 200, Connections: b.plan.Connections}
	filled, err := b.load(ctx, noise)
	if err != nil {
		return outcome{}, err
	}
	if filled.Accepted < b.plan.Due {
		return outcome{}, fmt.Errorf("only %d of %d events were accepted: %v", filled.Accepted, b.plan.Due, filled.Refused)
	}
	if err := b.gateway.resume(ctx, endpoint); err != nil {
		return outcome{}, err
	}
	sent, got, err := b.deliver(ctx, b.pacedJob())
	if err != nil {
		return outcome{}, err
	}
	return outcomeOf(sent, got), b.gateway.remove(ctx, endpoint)
}

func (b *bench) pacedJob() loadJob {
	return loadJob{
		Events: int(b.plan.PerSecond * b.plan.Paced.Seconds()), PerSecond: b.plan.PerSecond, Connections: b.plan.Connections,
	}
}

// deliver posts the events of a job to the main source and waits until all
// that were accepted have arrived, or nothing has for a while. A job without a
// run is one of its own.
func (b *bench) deliver(ctx context.Context, job loadJob) (loadResult, receiverStats, error) {
	if job.Run == "" {
		b.runs++
		job.Run = fmt.Sprintf("run-%d", b.runs)
	}
	job.URL, job.Size = b.ingest, b.plan.Size
	sent, err := b.load(ctx, job)
	if err != nil {
		return sent, receiverStats{}, err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	arrived, since := -1, time.Now()
	for {
		got, err := b.stats(ctx, job.Run)
		if err != nil {
			return sent, got, err
		}
		if got.Arrived >= sent.Accepted {
			sleepUntil(ctx, time.Now().Add(b.plan.Settle))
			got, err := b.stats(ctx, job.Run)
			return sent, got, err
		}
		if got.Arrived > arrived {
			arrived, since = got.Arrived, time.Now()
		}
		if time.Since(since) > b.plan.Stall {
			return sent, got, nil // what is missing counts as lost
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return sent, got, ctx.Err()
		}
	}
}
