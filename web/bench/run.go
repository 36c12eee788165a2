package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// run measures the binary with each storage and prints the report.
func run(ctx context.Context, args []string) error {
	var (
		flags   = flag.NewFlagSet("run", flag.ContinueOnError)
		binary  = flags.String("binary", "bin/reprise", "the server to measure")
		storage = flags.String("storage", "embedded,postgres", "what to measure it with")
		only    = flags.String("only", "", "what to measure, of "+strings.Join(parts, ",")+"; all if empty")
		rounds  = flags.Int("rounds", 1, "how often each is measured")
		p       = plan{
			Settle: 300 * time.Millisecond, Stall: 20 * time.Second, Piece: 5 * time.Second, Turn: time.Second,
			Calm: 5 * time.Second,
		}
	)
	flags.IntVar(&p.Deliveries, "deliveries", 10_000, "deliveries of the throughput, and of each side at saturation")
	flags.IntVar(&p.Size, "size", 2000, "bytes of an event")
	flags.IntVar(&p.Connections, "connections", 64, "connections of the load client")
	flags.Float64Var(&p.PerSecond, "rate", 50, "events a second of the paced load")
	flags.DurationVar(&p.Paced, "paced", 10*time.Second, "how long the paced load lasts")
	flags.DurationVar(&p.Idle, "idle", 10*time.Second, "how long the idle server is watched")
	flags.IntVar(&p.Turns, "turns", 3, "how often each side is measured against the others (share, fanout, split)")
	flags.DurationVar(&p.PacedTurn, "paced-turn", 5*time.Second, "how long a side is measured at the paced rate each time")
	flags.IntVar(&p.Due, "due", 10_000, "due deliveries of the dead endpoint; 0 leaves that out")
	flags.IntVar(&p.Replay, "replay", 15_000, "events of the replay job; 0 leaves that out")
	flags.IntVar(&p.ReplayRate, "replay-rate", 500, "deliveries a second of the replay job")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := p.restrict(*only); err != nil {
		return err
	}

	r := report{machine: thisMachine(), At: time.Now().UTC().Format(time.RFC3339)}
	version, err := exec.CommandContext(ctx, *binary, "version").Output()
	if err != nil {
		return fmt.Errorf("%s version: %w", *binary, err)
	}
	r.Version = strings.TrimSpace(string(version))
	for range *rounds {
		for _, s := range strings.Split(*storage, ",") {
			one, err := measureOnce(ctx, *binary, s, p, r.machine)
			if err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
			one.summary(os.Stderr, r.machine)
			r.Results = append(r.Results, one)
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(r)
}

// restrict makes a plan that of some parts, which are named with commas between.
func (p *plan) restrict(only string) error {
	if only == "" {
		return nil
	}
	p.Only = strings.Split(only, ",")
	for _, part := range p.Only {
		if !slices.Contains(parts, part) {
			return fmt.Errorf("%q is none of %s", part, strings.Join(parts, ", "))
		}
	}
	return nil
}

// measureOnce starts a server, a receiver and what they need, and measures.
func measureOnce(ctx context.Context, binary, storage string, p plan, m machine) (r result, err error) {
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, storage+": "+format+"\n", args...)
	}
	stores, err := startStores(storage)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, stores.stop()) }()
	at, err := stores.place()
	if err != nil {
		return r, err
	}
	server, err := startServer(ctx, binary, at)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	receiver, err := startChild(ctx, "receiver")
	if err != nil {
		return r, err
	}
	defer receiver.stop()

	maps.Copy(server.procs, stores.procs())
	b := &bench{
		plan: p, gateway: server.gateway, receiver: receiver.address, procs: server.procs, say: say,
		rivals: rivals(binary, stores, receiver.address), storage: storage, machine: m,
		load: loadProcess, season: stores.season,
		stats: func(ctx context.Context, run string) (receiverStats, error) {
			return fetchStats(ctx, receiver.address, run)
		},
	}
	r, err = b.measure(ctx)
	r.Storage = storage
	if err != nil {
		return r, fmt.Errorf("%w\n%s", err, server.lastLines())
	}
	return r, nil
}
