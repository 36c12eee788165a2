package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// program is a running process of the measured binary.
type program struct {
	name   string
	cmd    *exec.Cmd
	exited chan error
	log    string
}

// startProgram starts the binary in a directory and waits until it is ready.
func startProgram(ctx context.Context, dir, name string, ready func(context.Context) error, env []string, binary string, args ...string) (*program, error) {
	p := &program{name: name, exited: make(chan error, 1), log: filepath.Join(dir, name+".log")}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.Command(binary, args...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, env, log, log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.exited <- p.cmd.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return p, nil
		}
		select {
		case err := <-p.exited:
			return nil, fmt.Errorf("the %s ended at once: %w\n%s", name, err, p.lastLines())
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("the %s was not ready in time: %w\n%s", name, err, p.lastLines()), p.stop())
		case <-tick.C:
		}
	}
}

func (p *program) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	select {
	case err := <-p.exited:
		if err != nil {
			return fmt.Errorf("the %s did not stop cleanly: %w\n%s", p.name, err, p.lastLines())
		}
		return nil
	case <-patience.C:
		_ = p.cmd.Process.Kill()
		return fmt.Errorf("the %s did not stop within 30 seconds", p.name)
	}
}

// lastLines is the end of its log.
func (p *program) lastLines() string {
	log, _ := os.ReadFile(p.log)
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-20):], []byte("\n")))
}
