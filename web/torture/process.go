package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// process is one process of the program. It is started anew whenever it ends,
// as an init system would, until it is stopped.
type process struct {
	name   string
	binary string
	args   []string
	env    []string
	dir    string
	story  *story

	turn sync.Mutex // held by who does something to it

	mu     sync.Mutex
	cmd    *exec.Cmd
	doomed bool // its end is ours
	over   bool
	done   chan struct{}
}

func (p *process) start() {
	p.done = make(chan struct{})
	go func() {
		defer close(p.done)
		for p.once() {
			time.Sleep(time.Second) //nolint:forbidigo // an init system waits as well
		}
	}()
}

// once runs it until it ends, and reports whether it is to be started again.
func (p *process) once() bool {
	log, err := os.OpenFile(p.log(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		p.story.say("%s: %v", p.name, err)
		return false
	}
	defer log.Close()
	cmd := exec.Command(p.binary, p.args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, p.env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		return false
	}
	err = cmd.Start()
	p.cmd, p.doomed = cmd, false
	p.mu.Unlock()
	if err != nil {
		p.story.say("%s: %v", p.name, err)
		return false
	}
	_ = cmd.Wait() // how it ended is in its log
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.doomed && !p.over {
		p.story.begin(ended, "%s ended by itself: %s", p.name, p.lastLine())()
	}
	return !p.over
}

// signal sends a signal; one that kills is expected to.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doomed = p.doomed || s == syscall.SIGKILL
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Signal(s) // it may have ended
	}
}

// stop ends it for good.
func (p *process) stop() {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	patience := time.NewTimer(20 * time.Second)
	defer patience.Stop()
	select {
	case <-p.done:
	case <-patience.C:
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

func (p *process) log() string { return filepath.Join(p.dir, p.name+".log") }

func (p *process) lastLine() string {
	log, _ := os.ReadFile(p.log())
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	return string(lines[len(lines)-1])
}
