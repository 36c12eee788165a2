package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	followEvery = 500 * time.Millisecond
	// lineEvery is how often progress is written where nothing can be
	// overwritten: into files, pipes and the logs of other programs.
	lineEvery = 5 * time.Second
	barWidth  = 30
	minColumn = 40
)

// terminalWidth is the width of the terminal that w is, 0 if it is none.
func terminalWidth(w io.Writer) int {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return max(int(size.Col), minColumn)
}

// follow shows the progress of a job until it is at rest, and returns it as it
// is then.
func (c *client) follow(ctx context.Context, w io.Writer, id string) (*job, error) {
	return c.until(ctx, w, id, (*job).resting)
}

// until shows the progress of a job until it is as it is to be.
func (c *client) until(ctx context.Context, w io.Writer, id string, enough func(*job) bool) (*job, error) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	width, last, shown := terminalWidth(w), "", time.Time{}
	for {
		j, err := c.job(ctx, id)
		if err != nil {
			return nil, err
		}
		switch line := j.line(); {
		case width > 0:
			_, err = fmt.Fprintf(w, "\r\x1b[K%s", j.bar(width))
		case enough(j), line != last && time.Since(shown) >= lineEvery:
			last, shown = line, time.Now()
			_, err = fmt.Fprintln(w, line)
		}
		if enough(j) && width > 0 && err == nil {
			_, err = fmt.Fprintln(w)
		}
		if err != nil || enough(j) {
			return j, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("no longer watching %s, which goes on (%w)", j.ID, ctx.Err())
		}
	}
}

// bar is a job's progress as one line of a terminal.
func (j *job) bar(width int) string {
	if j.planning() {
		return j.line()
	}
	share := j.share()
	full := int(share * barWidth)
	line := "[" + strings.Repeat("#", full) + strings.Repeat("-", barWidth-full) + "] " + j.line()
	if len(line) >= width {
		line = line[:width-1]
	}
	return line
}

// share is how much of a job is done, from 0 to 1.
func (j *job) share() float64 {
	p := &j.Progress
	if p.Total <= 0 {
		if j.final() {
			return 1
		}
		return 0
	}
	return min(float64(p.Processed)/float64(p.Total), 1)
}

// line is a job's progress in plain text.
func (j *job) line() string {
	if j.planning() {
		return "planning, " + grouped(j.Plan.Events) + " events so far"
	}
	p := &j.Progress
	parts := []string{
		fmt.Sprintf("%d%%", int(100*j.share())),
		grouped(p.Processed) + " of " + grouped(p.Total),
		grouped(p.Succeeded) + " delivered",
		grouped(p.Failed) + " failed",
	}
	if p.Retrying > 0 {
		parts = append(parts, grouped(p.Retrying)+" to be tried again")
	}
	if p.Skipped > 0 {
		parts = append(parts, grouped(p.Skipped)+" skipped")
	}
	if j.Status == "running" {
		parts = append(parts, fmt.Sprintf("%.1f/s", p.Rate))
		if p.Left != nil {
			parts = append(parts, span(*p.Left)+" left")
		}
	} else {
		parts = append(parts, j.Status)
	}
	return strings.Join(parts, ", ")
}

// span is a number of seconds as people say it.
func span(seconds float64) string {
	return time.Duration(max(seconds, 1) * float64(time.Second)).Round(time.Second).String()
}

// grouped is a number with commas between its thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
