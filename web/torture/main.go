// Command torture runs the built binary as one web process and three workers on
// servers of its own, sends events from a seeded plan while processes, servers and
// endpoints fail in a seeded order, and then checks that nothing was lost, nothing
// was repeated without a reason, no limit was exceeded and nothing is left over.
// It ends with status 1 if a check fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options say what is done to what.
type options struct {
	binary, ahead string // the second one's clock is off
	keep          string // where logs stay; empty: nowhere
	seed          uint64
	events        int
	rate          float64
	faults        int
	long          time.Duration
	patience      time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flags := flag.NewFlagSet("torture", flag.ContinueOnError)
	flags.StringVar(&o.binary, "binary", "bin/reprise", "the program")
	flags.StringVar(&o.ahead, "ahead", "bin/reprise-ahead", "the program with a clock that is off, for one worker")
	flags.StringVar(&o.keep, "keep", "", "a directory where the logs of the processes stay")
	flags.Uint64Var(&o.seed, "seed", 1, "of the plan")
	flags.IntVar(&o.events, "events", 50_000, "events to send")
	flags.Float64Var(&o.rate, "rate", 300, "events a second")
	flags.IntVar(&o.faults, "faults", len(everyFault), "how many faults")
	flags.DurationVar(&o.long, "long", 40*time.Second, "how long a long fault lasts")
	flags.DurationVar(&o.patience, "patience", 4*time.Minute, "how long everything may take to end after the last event")
	err := flags.Parse(os.Args[1:])
	if err == nil {
		err = torture(ctx, o)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}

// torture does it all and answers an error if a check fails.
func torture(ctx context.Context, o options) error {
	began := time.Now()
	story := &story{began: began}
	p := newPlan(o)
	story.say("seed %d: %d events at %g a second, %d faults", o.seed, o.events, o.rate, len(p.faults))
	r, err := newRig(ctx, o, story)
	if err != nil {
		return err
	}
	defer r.stop()
	sending := time.Now()
	acting, acted := context.WithCancel(ctx)
	defer acted()
	done := make(chan struct{})
	go func() { defer close(done); r.inflict(acting, p.faults) }()
	watched := make(chan []string, 1)
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	go func() { watched <- r.watch(watching) }()
	accepted := send(ctx, r.ingest, p.types, o.rate)
	story.say("sent: %d of %d events were accepted", len(accepted), o.events)
	<-done
	if err := r.heal(ctx); err != nil {
		return err
	}
	story.say("the faults are over")
	ended := r.settle(ctx, o.patience)
	unwatch()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f, err := r.find(ctx, accepted, p.types)
	if err != nil {
		return err
	}
	f.ended, f.limbo = ended, <-watched
	results := check(ctx, r, f)
	return summary(story, f, results, sending)
}
