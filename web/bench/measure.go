package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	Only        []string      // the parts that are measured; none: all
	Turns       int           // of each side that is measured against another
	PacedTurn   time.Duration // how long one at the paced rate lasts
	Calm        time.Duration // at most, until what a side left to do is done
}

// parts are what can be measured, in this order.
var parts = []string{"throughput", "idle", "paced", "share", "fanout", "split", "replay", "noisy"}

// does reports whether one of the parts is to be measured.
func (p plan) does(some ...string) bool {
	return len(p.Only) == 0 || slices.ContainsFunc(some, func(part string) bool { return slices.Contains(p.Only, part) })
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
	rivals   map[string]startRival // by the name of their side
	storage  string
	machine  machine
	say      func(format string, args ...any)

	ingest string // of the main source
	runs   int
}

// measure takes every measurement once.
func (b *bench) measure(ctx context.Context) (result, error) {
	var r result
	var err error
	if b.ingest, err = b.gateway.relay(ctx, "bench", b.receiver, 1); err != nil {
		return r, err
	}
	b.say("warming up")
	if _, _, err := b.deliver(ctx, loadJob{Events: min(1000, b.plan.Deliveries), Connections: b.plan.Connections}); err != nil {
		return r, err
	}
	steps := []func(context.Context, *result) error{b.throughput, b.idle, b.paced, b.against, b.replaying, b.noisy}
	for _, step := range steps {
		if err := step(ctx, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// throughput posts as quickly as it is accepted.
func (b *bench) throughput(ctx context.Context, r *result) error {
	if !b.plan.does("throughput") {
		return nil
	}
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
		DeliveredPerSecond: perSecond(got.Arrived, sent.Start, got.Last),
		CPUSeconds:         difference(before, after),
		PeakMegabytes:      peak,
	}
	return nil
}

// idle waits and counts the CPU time meanwhile.
func (b *bench) idle(ctx context.Context, r *result) error {
	if !b.plan.does("idle") {
		return nil
	}
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
	if !b.plan.does("paced") {
		return nil
	}
	b.say("paced: %g a second for %s", b.plan.PerSecond, b.plan.Paced)
	sent, got, err := b.deliver(ctx, b.pacedJob())
	r.Paced = outcomeOf(sent, got)
	return err
}

// noisy posts at the same rate while another endpoint is dead and has many
// deliveries due.
func (b *bench) noisy(ctx context.Context, r *result) error {
	if b.plan.Due == 0 || !b.plan.does("noisy") {
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

// deliver posts the events of a job and waits until all deliveries of those that
// were accepted have arrived, or nothing has for a while. A job without a run is
// one of its own, and one without a URL goes to the main source.
func (b *bench) deliver(ctx context.Context, job loadJob) (loadResult, receiverStats, error) {
	if job.Run == "" {
		b.runs++
		job.Run = fmt.Sprintf("run-%d", b.runs)
	}
	if job.URL == "" {
		job.URL = b.ingest
	}
	job.Size = b.plan.Size
	sent, err := b.load(ctx, job)
	if err != nil {
		return sent, receiverStats{}, err
	}
	runs, expected := job.Run, sent.Accepted
	if job.Copies > 1 {
		expected *= job.Copies
		var each []string
		for i := range job.Copies {
			each = append(each, fmt.Sprintf("%s/%d", job.Run, i))
		}
		runs = strings.Join(each, ",")
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	arrived, since := -1, time.Now()
	for {
		got, err := b.stats(ctx, runs)
		if err != nil {
			return sent, got, err
		}
		if got.Arrived >= expected {
			sleepUntil(ctx, time.Now().Add(b.plan.Settle))
			got, err := b.stats(ctx, runs)
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
