package main

import (
	"bytes"
	"io"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// logRoom is how many lines of the log may wait for whoever reads it.
	logRoom = 1024
	// logLinger is how long a process that ends waits for that reader.
	logLinger = time.Second
)

// logWriter passes lines on to somebody who may stop reading, such as a pipe, and never
// makes the work wait for that: what finds no room is left out, and counted.
type logWriter struct {
	lines chan logLine
	lost  atomic.Int64
}

// logLine is a line, or a mark that is closed when all before it is written.
type logLine struct {
	text []byte
	mark chan struct{}
}

// newLogWriter writes to what it is given; to log it says what was left out.
func newLogWriter(to io.Writer, log *slog.Logger) *logWriter {
	w := &logWriter{lines: make(chan logLine, logRoom)}
	go func() {
		for line := range w.lines {
			if line.mark != nil {
				close(line.mark)
				continue
			}
			_, _ = to.Write(line.text)
			if n := w.lost.Swap(0); n > 0 {
				log.Warn("lines of the log are missing: nobody read them", "count", n)
			}
		}
	}()
	return w
}

// Write never fails and never waits.
func (w *logWriter) Write(text []byte) (int, error) {
	select {
	case w.lines <- logLine{text: bytes.Clone(text)}:
	default:
		w.lost.Add(1)
	}
	return len(text), nil
}

// flush waits a moment for what was written to be read.
func (w *logWriter) flush() {
	limit := time.NewTimer(logLinger)
	defer limit.Stop()
	mark := make(chan struct{})
	select {
	case w.lines <- logLine{mark: mark}:
	case <-limit.C:
		return
	}
	select {
	case <-mark:
	case <-limit.C:
	}
}
