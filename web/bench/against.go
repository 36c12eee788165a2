package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"
)

// against is how the server does beside others on the same stores in the same
// minutes, above all beside a bare pipeline.
type against struct {
	At            string   `json:"at"`
	Figures       []figure `json:"figures"`
	OtherPercent  float64  `json:"other_cpu_percent"` // of the machine, used by what is not measured
	StolenPercent float64  `json:"stolen_cpu_percent"`
	Saturation    []sample `json:"saturation"` // in the order in which they were taken
	Paced         []sample `json:"paced,omitempty"`
}

// against takes the measurements by turns, at saturation and at the paced rate.
func (b *bench) against(ctx context.Context, r *result) (err error) {
	if !b.plan.does("share", "fanout", "split") {
		return nil
	}
	alone := maps.Clone(b.procs)
	sides, stop, err := b.sides(ctx)
	defer func() {
		b.procs = alone
		err = errors.Join(err, stop())
	}()
	if err != nil {
		return err
	}
	b.say("against a bare pipeline: warming up")
	saturate := loadJob{Events: b.plan.Deliveries, Connections: b.plan.Connections}
	warm := saturate
	warm.Events = min(3000, warm.Events)
	for _, s := range sides {
		if _, err := b.sample(ctx, s, warm); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := b.season(); err != nil {
		return err
	}
	before, err := readBystanders()
	if err != nil {
		return err
	}
	start := time.Now()
	out := against{At: start.UTC().Format(time.RFC3339)}
	b.say("against a bare pipeline: %d turns of %d deliveries each", b.plan.Turns, b.plan.Deliveries)
	out.Saturation, err = alternately(sides, b.plan.Turns, func(s side) (sample, error) { return b.sample(ctx, s, saturate) })
	if err != nil {
		return err
	}
	peak, err := b.peak()
	if err != nil {
		return err
	}
	out.Figures = append(figuresOf(out.Saturation, saturationKinds), peak)
	if b.plan.does("share") {
		b.say("against a bare pipeline: %d turns of %s each at %g a second", b.plan.Turns, b.plan.PacedTurn, b.plan.PerSecond)
		paced := b.pacedJob()
		paced.Events = int(b.plan.PerSecond * b.plan.PacedTurn.Seconds())
		out.Paced, err = alternately(sides[:2], b.plan.Turns, func(s side) (sample, error) { return b.sample(ctx, s, paced) })
		if err != nil {
			return err
		}
		out.Figures = append(out.Figures, figuresOf(out.Paced, pacedKinds)...)
	}
	after, err := readBystanders()
	if err != nil {
		return err
	}
	out.OtherPercent, out.StolenPercent = after.share(before, time.Since(start).Seconds())
	for i := range out.Figures {
		out.Figures[i].Storage, out.Figures[i].Machine = b.storage, b.machine
	}
	r.Against = &out
	return nil
}

// sides are those that the plan asks for and the stores allow, the bare pipeline
// and the server first. stop ends the rivals, also after an error.
func (b *bench) sides(ctx context.Context) (sides []side, stop func() error, err error) {
	var stops []func() error
	stop = func() error {
		var err error
		for _, one := range stops {
			err = errors.Join(err, one())
		}
		return err
	}
	add := func(name string) error {
		start := b.rivals[name]
		if start == nil {
			return nil
		}
		b.say("starting %s", name)
		made, err := start(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		stops = append(stops, made.stop)
		maps.Copy(b.procs, made.procs)
		sides = append(sides, side{name, made.ingest, 1})
		return nil
	}
	if err := add(bareSide); err != nil {
		return nil, stop, err
	}
	sides = append(sides, side{singleSide, b.ingest, 1})
	if b.plan.does("fanout") {
		ingest, err := b.gateway.relay(ctx, "fan-out", b.receiver, fanOut)
		if err != nil {
			return nil, stop, err
		}
		sides = append(sides, side{fanOutSide, ingest, fanOut})
	}
	if b.plan.does("split") {
		if err := add(halvesSide); err != nil {
			return nil, stop, err
		}
	}
	if b.plan.does("share") {
		if err := add(asynqSide); err != nil {
			return nil, stop, err
		}
	}
	return sides, stop, nil
}

// peak compares the most memory that the server and the pipeline ever had.
func (b *bench) peak() (figure, error) {
	ours, err := megabytes(b.procs["server"], "VmHWM")
	if err != nil {
		return figure{}, err
	}
	bare, err := megabytes(b.procs[bareSide], "VmHWM")
	ratio := round(ours/bare, 3)
	return figure{
		Name: "peak memory", Unit: "MiB", Ratio: ratio, Ratios: []float64{ratio},
		Of: value{singleSide, ours}, To: value{bareSide, bare}, Bare: value{bareSide, bare},
	}, err
}
