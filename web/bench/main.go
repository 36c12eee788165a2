// Command bench measures a built reprise binary on this machine, with the
// load client and the receiver as processes of their own, all on loopback:
//
//	bench run       starts everything, measures, prints JSON on stdout
//	bench receiver  the endpoint that deliveries go to
//	bench load      the provider that posts events
//	bench pipeline  the least that a durable relay has to do, to measure against
//
// What the program reaches is told as a share of what the bare pipeline does on the
// same stores in the same minutes (share), beside fan-out to five endpoints (fanout)
// and web with two workers (split). The pipeline commits each event with its delivery,
// and each outcome, with the full durability of the database.
//
// It runs on Linux, where /proc tells CPU time and memory, and ends by itself.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// limit is how long anything here may take.
const limit = 20 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := command(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("usage: bench run | receiver | load | pipeline")
	}
	switch args[0] {
	case "run":
		return run(ctx, args[1:])
	case "receiver":
		return receiverCommand(ctx)
	case "load":
		return loadCommand(ctx, args[1:])
	case "pipeline":
		return pipelineCommand(ctx, args[1:])
	}
	return fmt.Errorf("%s is none of run, receiver, load and pipeline", args[0])
}

func receiverCommand(ctx context.Context) error {
	debug.SetGCPercent(400)
	return untilStdinCloses(ctx, newReceiver().serve)
}

// untilStdinCloses serves on a port of its own until standard input closes, so
// that it ends with the process that started it. Its first line is where it listens.
func untilStdinCloses(ctx context.Context, serve func(context.Context, net.Listener) error) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		cancel()
	}()
	return serve(ctx, l)
}

// loadCommand posts events as its one argument says, in JSON, and prints the
// result in JSON.
func loadCommand(ctx context.Context, args []string) error {
	debug.SetGCPercent(400)
	var job loadJob
	if len(args) != 1 {
		return errors.New("usage: bench load JSON")
	}
	if err := json.Unmarshal([]byte(args[0]), &job); err != nil {
		return err
	}
	result, err := load(ctx, job)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}
