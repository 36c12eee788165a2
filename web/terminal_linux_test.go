package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReplayBar(t *testing.T) {
	t.Parallel()
	screen, tty := openTerminal(t, 72)
	s := newScripted(t, jobText("running", 0, 0), jobText("running", 500, 0), jobText("completed", 1000, 0))
	shown := make(chan string, 1)
	go func() {
		var all bytes.Buffer
		_, _ = io.Copy(&all, screen) // ends with an error once the terminal is closed
		shown <- all.String()
	}()
	status, stderr := s.run(t, tty, "replay", "resume", "rpl_1")
	_ = tty.Close()
	if got := <-shown; status != 0 || !strings.Contains(got, "\r\x1b[K["+strings.Repeat("#", 15)+strings.Repeat("-", 15)+"] 50%, 500 of 1,000") ||
		!strings.Contains(got, "["+strings.Repeat("#", 30)+"] 100%") {
		t.Errorf("status %d, %q, %q", status, stderr, got)
	}
}

// openTerminal makes a terminal of a width, and what its screen shows.
func openTerminal(t *testing.T, width uint16) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal("this test needs a terminal (/dev/ptmx): ", err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	fd := int(screen.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: width}); err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return screen, tty
}
