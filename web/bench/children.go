package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// child is a command of this program as a process of its own, that serves until
// it is stopped.
type child struct {
	address string
	pid     int
	stop    func()
}

func startChild(ctx context.Context, args ...string) (child, error) {
	self, err := os.Executable()
	if err != nil {
		return child{}, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return child{}, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return child{}, err
	}
	if err := cmd.Start(); err != nil {
		return child{}, err
	}
	c := child{pid: cmd.Process.Pid, stop: func() { _, _ = stdin.Close(), cmd.Wait() }}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		c.stop()
		return child{}, fmt.Errorf("the %s did not start: %w", args[0], err)
	}
	c.address = strings.TrimSpace(line)
	return c, nil
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
