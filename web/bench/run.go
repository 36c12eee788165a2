package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// run measures the binary with each storage and prints the report.
func run(ctx context.Context, args []string) error {
	var (
		flags   = flag.NewFlagSet("run", flag.ContinueOnError)
		binary  = flags.String("binary", "bin/reprise", "the server to measure")
		storage = flags.String("storage", "embedded,postgres", "what to measure it with")
		rounds  = flags.Int("rounds", 1, "how often each is measured")
		p       = plan{Settle: 300 * time.Millisecond, Stall: 20 * time.Second, Piece: 5 * time.Second, Turn: time.Second}
	)
	flags.IntVar(&p.Deliveries, "deliveries", 10_000, "deliveries of the throughput")
	flags.IntVar(&p.Size, "size", 2000, "bytes of an event")
	flags.IntVar(&p.Connections, "connections", 64, "connections of the load client")
	flags.Float64Var(&p.PerSecond, "rate", 50, "events a second of the paced load")
	flags.DurationVar(&p.Paced, "paced", 20*time.Second, "how long the paced load lasts")
	flags.DurationVar(&p.Idle, "idle", 10*time.Second, "how long the idle server is watched")
	flags.IntVar(&p.Due, "due", 50_000, "due deliveries of the dead endpoint; 0 leaves that out")
	flags.IntVar(&p.Replay, "replay", 50_000, "events of the replay job; 0 leaves that out")
	flags.IntVar(&p.ReplayRate, "replay-rate", 500, "deliveries a second of the replay job")
	if err := flags.Parse(args); err != nil {
		return err
	}

	r := report{Go: runtime.Version(), CPU: cpuModel(), Cores: runtime.NumCPU(), At: time.Now().UTC().Format(time.RFC3339)}
	version, err := exec.CommandContext(ctx, *binary, "version").Output()
	if err != nil {
		return fmt.Errorf("%s version: %w", *binary, err)
	}
	r.Version = strings.TrimSpace(string(version))
	for range *rounds {
		for _, s := range strings.Split(*storage, ",") {
			one, err := measureOnce(ctx, *binary, s, p)
			if err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
			one.summary(os.Stderr)
			r.Results = append(r.Results, one)
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	return out.Encode(r)
}

// measureOnce starts a server, a receiver and what they need, and measures.
func measureOnce(ctx context.Context, binary, storage string, p plan) (r result, err error) {
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, storage+": "+format+"\n", args...)
	}
	server, err := startServer(ctx, binary, storage)
	if err != nil {
		return r, err
	}
	defer func() {
		if stopErr := server.stop(); stopErr != nil {
			err = errors.Join(err, stopErr)
		}
	}()
	receiver, address, err := startReceiver(ctx)
	if err != nil {
		return r, err
	}
	defer receiver()

	b := &bench{
		plan: p, gateway: server.gateway, receiver: address, procs: server.procs, say: say,
		load: loadProcess, season: server.season,
		stats: func(ctx context.Context, run string) (receiverStats, error) {
			return fetchStats(ctx, address, run)
		},
	}
	r, err = b.measure(ctx)
	r.Storage = storage
	if err != nil {
		return r, fmt.Errorf("%w\n%s", err, server.lastLines())
	}
	return r, nil
}

// startReceiver starts the receiver as a process, and answers how to stop it.
func startReceiver(ctx context.Context) (stop func(), address string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(ctx, self, "receiver")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	stop = func() { _, _ = stdin.Close(), cmd.Wait() }
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		stop()
		return nil, "", fmt.Errorf("the receiver did not start: %w", err)
	}
	return stop, strings.TrimSpace(line), nil
}

// loadProcess is load in a process of its own.
func loadProcess(ctx context.Context, job loadJob) (loadResult, error) {
	self, err := os.Executable()
	if err != nil {
		return loadResult{}, err
	}
	text, err := json.Marshal(job)
	if err != nil {
		return loadResult{}, err
	}
	cmd := exec.CommandContext(ctx, self, "load", string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return loadResult{}, fmt.Errorf("the load client: %w", err)
	}
	var result loadResult
	err = json.Unmarshal(out, &result)
	return result, err
}

func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(name, "\t :\n")
		}
	}
	return runtime.GOARCH
}
