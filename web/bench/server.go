package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/reprise-dev/reprise/web/api"
)

// apiKey is the write key of every measured server. It lives on loopback for
// a minute.
const apiKey = "rp_bench_0123456789abcdef0123456789abcdef"

// server is a running reprise, of one process or of several.
type server struct {
	gateway  gateway
	procs    processes
	programs []*program

	binary string
	place  place
}

// newServer has nothing but the defaults where a setting could change what is
// measured.
func newServer(binary string, at place) (*server, error) {
	binary, err := filepath.Abs(binary)
	return &server{procs: processes{}, binary: binary, place: at}, err
}

// startServer starts all in one process.
func startServer(ctx context.Context, binary string, at place) (*server, error) {
	s, err := newServer(binary, at)
	if err != nil {
		return s, err
	}
	s.gateway, err = s.start(ctx, "server", "serve")
	return s, err
}

// startHalves starts one process that receives and some that deliver.
func startHalves(ctx context.Context, binary string, at place, workers int) (*server, error) {
	s, err := newServer(binary, at)
	if err != nil {
		return s, err
	}
	s.gateway, err = s.start(ctx, "web", "web")
	for i := range workers {
		if err == nil {
			_, err = s.start(ctx, fmt.Sprintf("worker%d", i+1), "worker")
		}
	}
	if err != nil {
		return s, errors.Join(err, s.stop())
	}
	return s, nil
}

// start starts one process, which answers at the gateway once it is ready.
func (s *server) start(ctx context.Context, name, command string) (gateway, error) {
	address, err := freeAddress()
	if err != nil {
		return gateway{}, err
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"REPRISE_API_KEY=" + apiKey,
		"REPRISE_API_RATE_PER_MINUTE=0",
		"REPRISE_EGRESS_ALLOW=127.0.0.0/8",
		"REPRISE_SECRET_KEY=" + strings.Repeat("ab", 32),
	}
	if command == "worker" {
		env = append(env, "REPRISE_METRICS_ADDR="+address) // all that it listens on
	} else {
		env = append(env, "REPRISE_ADDR="+address)
	}
	if s.place.database != "" {
		env = append(env, "DATABASE_URL="+s.place.database, "REDIS_URL="+s.place.redis)
	}
	g := gateway{api.Client{URL: "http://" + address, Key: apiKey}}
	p, err := startProgram(ctx, s.place.dir, name, g.ready, env, s.binary, command)
	if err != nil {
		return g, err
	}
	s.programs, s.procs[name] = append(s.programs, p), p.cmd.Process.Pid
	return g, nil
}

// stop ends the processes, the last that was started first.
func (s *server) stop() error {
	var err error
	for i := len(s.programs) - 1; i >= 0; i-- {
		err = errors.Join(err, s.programs[i].stop())
	}
	s.programs = nil
	return err
}

// lastLines are the ends of the logs.
func (s *server) lastLines() string {
	var all []string
	for _, p := range s.programs {
		all = append(all, p.name+":\n"+p.lastLines())
	}
	return strings.Join(all, "\n")
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
