package main

import (
	"context"
	"fmt"
	"time"
)

// The sides that are measured against each other.
const (
	bareSide    = "bare"       // a pipeline that has nothing but to be durable
	asynqSide   = "bare-asynq" // the same with asynq between the database and the senders
	singleSide  = "reprise"
	fanOutSide  = "reprise-fan-out"
	halvesSide  = "reprise-web-workers"
	fanOut      = 5
	halfWorkers = 2
)

// side is one of them.
type side struct {
	name   string
	ingest string // where its events are posted
	copies int    // deliveries of each event
}

// sample is one measurement of a side.
type sample struct {
	Side      string  `json:"side"`
	PerSecond float64 `json:"delivered_per_second"`
	outcome
}

// alternately measures every side a number of times, there and back: A B B A. So
// what gets better or worse with time falls on all alike.
func alternately(sides []side, turns int, measure func(side) (sample, error)) ([]sample, error) {
	var all []sample
	for turn := range turns {
		for i := range sides {
			if turn%2 == 1 {
				i = len(sides) - 1 - i
			}
			one, err := measure(sides[i])
			if err != nil {
				return all, fmt.Errorf("%s: %w", sides[i].name, err)
			}
			all = append(all, one)
		}
	}
	return all, nil
}

// sample posts the events of a job to a side, and waits for their deliveries and
// for the work that is left after them.
func (b *bench) sample(ctx context.Context, s side, job loadJob) (sample, error) {
	job.URL, job.Copies = s.ingest, s.copies
	job.Events = max(job.Events/s.copies, 1)
	sent, got, err := b.deliver(ctx, job)
	if err != nil {
		return sample{}, err
	}
	if got.Arrived == 0 {
		return sample{}, fmt.Errorf("none of %d events arrived", sent.Accepted)
	}
	one := sample{Side: s.name, PerSecond: perSecond(got.Arrived, sent.Start, got.Last), outcome: outcomeOf(sent, got)}
	one.Lost = max(sent.Accepted*s.copies-got.Arrived, 0)
	b.say("  %-20s %.0f/s, %s", s.name, one.PerSecond, one.outcome)
	return one, b.calm(ctx)
}

// calm waits, at most for a while, until everything that is measured together uses
// less than a tenth of a core: what one side left to do is not to burden the next.
func (b *bench) calm(ctx context.Context) error {
	const look = 200 * time.Millisecond
	for end := time.Now().Add(b.plan.Calm); ctx.Err() == nil && time.Now().Before(end); {
		before, err := b.procs.cpuSeconds()
		if err != nil {
			return err
		}
		sleepUntil(ctx, time.Now().Add(look))
		after, err := b.procs.cpuSeconds()
		if err != nil {
			return err
		}
		var used float64
		for _, seconds := range difference(before, after) {
			used += seconds
		}
		if used < look.Seconds()/10 {
			break
		}
	}
	return ctx.Err()
}

func perSecond(n int, start, end int64) float64 {
	return round(float64(n)/(float64(end-start)/1e9), 0)
}
