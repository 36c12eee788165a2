package main

import (
	"fmt"
	"sync"
	"time"
)

// story is what happened: the faults with their times, told as they come.
type story struct {
	began time.Time

	mu      sync.Mutex
	windows []window
}

// window is the time of a fault.
type window struct {
	kind     kind
	what     string
	from, to time.Time
}

// overlaps reports whether a fault may have touched what went on in a time.
func (w window) overlaps(from, to time.Time) bool {
	return !w.from.After(to) && !w.to.Before(from)
}

func (s *story) say(format string, args ...any) {
	fmt.Printf("%6.1f s  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// begin notes a fault; the answer ends it.
func (s *story) begin(k kind, format string, args ...any) (end func()) {
	what := fmt.Sprintf(format, args...)
	s.say("%s", what)
	s.mu.Lock()
	defer s.mu.Unlock()
	at := len(s.windows)
	now := time.Now()
	s.windows = append(s.windows, window{kind: k, what: what, from: now, to: now.Add(24 * time.Hour)})
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.windows[at].to = time.Now()
	}
}

// of are the windows of some kinds, each with some grace at its end.
func (s *story) of(grace time.Duration, kinds ...kind) []window {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []window
	for _, w := range s.windows {
		for _, k := range kinds {
			if w.kind == k {
				w.to = w.to.Add(grace)
				out = append(out, w)
			}
		}
	}
	return out
}

// touched reports whether one of the windows overlaps a time.
func touched(windows []window, from, to time.Time) bool {
	for _, w := range windows {
		if w.overlaps(from, to) {
			return true
		}
	}
	return false
}
