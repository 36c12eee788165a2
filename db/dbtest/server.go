package dbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Server is a running server process.
type Server struct {
	URL string // postgres://… or redis://…
	PID int

	dir      string
	watchdog *exec.Cmd
	lifeline io.WriteCloser
	said     io.Reader
	ready    func(context.Context) error
}

// watch runs "$@", prints its process id, and stops it and removes the
// directory $0 when standard input closes, which also happens when the parent
// dies. Until then each line there is a signal that ends "$@", or asks for it
// anew. cd first: nobody can remove the directory that they are in.
const watch = `cd /
run() {
	"$@" >>"$0/log" 2>&1 </dev/null &
	pid=$!
	echo $pid
}
run "$@"
while read -r word; do
	if [ "$word" = again ]; then
		run "$@"
	else
		kill -"$word" $pid 2>/dev/null
		wait $pid
		pid=
		echo 0
	fi
done
[ -z "$pid" ] || kill -INT $pid
wait $pid
rm -rf "$0"`

// running holds on to every server: a lifeline that nobody refers to would be
// closed by the garbage collector, and its server with it.
var running sync.Map

// start runs a server in dir until the answer is stopped or this process ends.
func start(dir, url string, args ...string) (*Server, error) {
	cmd := exec.Command("/bin/sh", append([]string{"-c", watch, dir}, args...)...)
	cmd.SysProcAttr = unprivileged()
	cmd.SysProcAttr.Setpgid = true // an interrupt from the terminal is for the tests
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &Server{URL: url, dir: dir, watchdog: cmd, lifeline: lifeline, said: out}
	running.Store(s, true)
	if _, err := fmt.Fscan(out, &s.PID); err != nil {
		s.Stop()
		return nil, fmt.Errorf("%s: %w", args[0], err)
	}
	return s, nil
}

// Halt ends the server with a signal, such as KILL, and leaves its files.
func (s *Server) Halt(signal string) error { return s.tell(signal) }

// Again starts a server that was halted, at the same address.
func (s *Server) Again() error {
	if err := s.tell("again"); err != nil {
		return err
	}
	return s.await(s.ready)
}

func (s *Server) tell(word string) error {
	if _, err := fmt.Fprintln(s.lifeline, word); err != nil {
		return err
	}
	_, err := fmt.Fscan(s.said, &s.PID)
	return err
}

// Stop ends the server and removes its files.
func (s *Server) Stop() {
	running.Delete(s)
	_ = s.lifeline.Close()
	_ = s.watchdog.Wait()
}

// await calls ready until it succeeds, at most 30 seconds; it gives up at
// once when the server has ended.
func (s *Server) await(ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if errors.Is(syscall.Kill(s.PID, 0), syscall.ESRCH) || ctx.Err() != nil {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.Stop()
			return fmt.Errorf("the server did not start: %w\n%s", err, log)
		}
		<-tick.C
	}
}

// tempDir makes a directory that belongs to the user who runs the servers.
func tempDir(pattern string) (string, error) {
	dir, err := os.MkdirTemp("", pattern)
	if err != nil {
		return "", err
	}
	if c := unprivileged().Credential; c != nil {
		err = os.Chown(dir, int(c.Uid), int(c.Gid))
	}
	return dir, err
}

// unprivileged is a user other than root if this process is root: PostgreSQL
// refuses to run as root.
func unprivileged() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() != 0 {
		return attr
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			return attr
		}
	}
	return attr
}

// freePort is a TCP port on 127.0.0.1 that nobody listens on.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// program finds a program of a package, in PATH or in the directories.
func program(name, pkg string, dirs ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, pattern := range dirs {
		if found, _ := filepath.Glob(filepath.Join(pattern, name)); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%s is not installed, and the tests need it: install %s (as root on Debian, "+
		"`make test` does; looked in PATH and %s)", name, pkg, strings.Join(dirs, ", "))
}
