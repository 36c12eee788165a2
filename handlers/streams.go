package handlers

import (
	"sync"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// How many answers may be written piece by piece at the same time: in this
// process, for one project, and for one caller. Nobody starves the others.
const (
	maxStreams        = 200
	maxProjectStreams = 50
	maxCallerStreams  = 8
)

// streams counts the answers that are being written piece by piece.
type streams struct {
	mu  sync.Mutex
	all int
	by  map[relay.ID]int // of a project or a caller
}

func newStreams() *streams { return &streams{by: map[relay.ID]int{}} }

// take counts one more for a caller, until leave is called.
func (s *streams) take(c *caller) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	refused := ""
	switch {
	case s.by[c.ID()] >= maxCallerStreams:
		refused = "You read 8 long answers already, which is as many as one caller may."
	case s.by[c.Project] >= maxProjectStreams:
		refused = "Your project reads 50 long answers already, which is as many as one may."
	case s.all >= maxStreams:
		refused = "Too many long answers are being sent already."
	}
	if refused != "" {
		return nil, &relay.Error{Kind: relay.KindRateLimited, Detail: refused + " Try again later.", RetryAfter: 10 * time.Second}
	}
	s.add(c, 1)
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.add(c, -1)
	}), nil
}

func (s *streams) add(c *caller, n int) {
	s.all += n
	for _, id := range []relay.ID{c.ID(), c.Project} {
		if s.by[id] += n; s.by[id] == 0 {
			delete(s.by, id)
		}
	}
}
