package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/web/api"
)

// apiKey is the write key of every measured server. It lives on loopback for
// a minute.
const apiKey = "rp_bench_0123456789abcdef0123456789abcdef"

// server is a running reprise with its database and Redis.
type server struct {
	gateway gateway
	procs   processes

	cmd    *exec.Cmd
	exited chan error
	dir    string
	backs  []*dbtest.Server

	postgres *dbtest.Server // if there is one
}

// startServer starts the binary in an empty directory, with nothing but the
// defaults where a setting could change what is measured.
func startServer(ctx context.Context, binary, storage string) (s *server, err error) {
	s = &server{procs: processes{}, exited: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if binary, err = filepath.Abs(binary); err != nil {
		return s, err
	}
	if s.dir, err = os.MkdirTemp("", "reprise-bench-"); err != nil {
		return s, err
	}
	address, err := freeAddress()
	if err != nil {
		return s, err
	}
	s.gateway = gateway{api.Client{URL: "http://" + address, Key: apiKey}}
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"REPRISE_ADDR=" + address,
		"REPRISE_API_KEY=" + apiKey,
		"REPRISE_API_RATE_PER_MINUTE=0",
		"REPRISE_EGRESS_ALLOW=127.0.0.0/8",
	}
	switch storage {
	case "embedded":
	case "postgres":
		postgres, err := dbtest.StartPostgres(dbtest.Durable)
		if err != nil {
			return s, err
		}
		s.backs, s.procs["postgres"] = append(s.backs, postgres), postgres.PID
		s.postgres = postgres
		redis, err := dbtest.StartRedis()
		if err != nil {
			return s, err
		}
		s.backs, s.procs["redis"] = append(s.backs, redis), redis.PID
		env = append(env, "DATABASE_URL="+postgres.URL, "REDIS_URL="+redis.URL)
	default:
		return s, fmt.Errorf("%s is neither embedded nor postgres", storage)
	}
	return s, s.start(ctx, binary, env)
}

func (s *server) start(ctx context.Context, binary string, env []string) error {
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(binary, "serve")
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, env, log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.procs["server"] = cmd, cmd.Process.Pid
	go func() { s.exited <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ready := s.gateway.ready(ctx)
		if ready == nil {
			return nil
		}
		select {
		case err := <-s.exited:
			s.cmd = nil
			return fmt.Errorf("the server ended at once: %w\n%s", err, s.lastLines())
		case <-ctx.Done():
			return fmt.Errorf("the server was not ready in time: %w\n%s", ready, s.lastLines())
		case <-tick.C:
		}
	}
}

// season makes PostgreSQL write into the log files that it has, as it does
// from its first checkpoint on, minutes after it was made: until then it makes
// a new file for every 16 MB, and whoever commits meanwhile waits for that.
func (s *server) season() error {
	if s.postgres == nil {
		return nil
	}
	return s.postgres.Checkpoint()
}

// stop ends everything and removes the files.
func (s *server) stop() error {
	var err error
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		patience := time.NewTimer(30 * time.Second)
		defer patience.Stop()
		select {
		case err = <-s.exited:
			if err != nil {
				err = fmt.Errorf("the server did not stop cleanly: %w\n%s", err, s.lastLines())
			}
		case <-patience.C:
			_ = s.cmd.Process.Kill()
			err = errors.New("the server did not stop within 30 seconds")
		}
	}
	for _, back := range s.backs {
		back.Stop()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// lastLines is the end of the server's log.
func (s *server) lastLines() string {
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-20):], []byte("\n")))
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
