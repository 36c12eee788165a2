package jobs

import (
	"context"
	"sync"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// paces know of each endpoint how much is on its way and how well it copes,
// and from that how much more it may get: a quick endpoint fills the senders,
// a slow or dead one ties up next to nothing.
type paces struct {
	mu      sync.Mutex
	byID    map[relay.ID]*pace
	total   int // claimed and not yet recorded, of all endpoints
	replays int
	most    int // concurrent requests of one endpoint at best
	window  int // total at most
}

const (
	startConcurrency = 16
	leastConcurrency = 2
	quick            = 200 * time.Millisecond
)

// pace is one endpoint's part.
type pace struct {
	claimed int           // on their way, requests included
	replays int           // of these
	sending int           // requests under way
	allowed int           // requests at the same time
	average time.Duration // of recent requests
	failing bool
	hungry  bool // more may be due than was claimed: live ones or retries
	starved bool // the same of replays
	waiters []chan struct{}
	used    time.Time
}

func newPaces(concurrency int) *paces {
	return &paces{byID: map[relay.ID]*pace{}, most: max(concurrency/2, 1), window: windowOf(concurrency)}
}

func (l *paces) of(id relay.ID) *pace {
	e := l.byID[id]
	if e == nil {
		e = &pace{allowed: min(startConcurrency, l.most)}
		l.byID[id] = e
	}
	return e
}

// room is how many more deliveries, and how many of them replays, may be
// claimed for an endpoint. maxInFlight is the endpoint's own bound, or 0. Until
// a claim finds less than it may take, whatever ends asks for more.
func (l *paces) room(id relay.ID, maxInFlight int) (free, replays int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.of(id)
	e.hungry, e.starved = true, true
	return l.roomOf(e, maxInFlight)
}

func (l *paces) roomOf(e *pace, maxInFlight int) (free, replays int) {
	window := e.allowed
	switch {
	case maxInFlight > 0:
		window = maxInFlight
	case !e.failing && e.average < quick:
		window = min(8*e.allowed, l.window/2)
	}
	free = max(min(window-e.claimed, l.window-l.total), 0)
	replays = max(min(max(window/2, 1)-e.replays, l.window/2-l.replays, free), 0)
	return free, replays
}

func (l *paces) claim(id relay.ID, replay bool, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count(id, replay, n)
}

// take claims a delivery that is only about to be made, if there is room for
// it and nothing older waits for the same endpoint.
func (l *paces) take(id relay.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.of(id)
	if free, _ := l.roomOf(e, 0); e.hungry || free == 0 {
		return false
	}
	l.count(id, false, 1)
	return true
}

// spare is how many replays may be made claimed: as many as there is room for,
// if nothing older waits for the same endpoint.
func (l *paces) spare(id relay.ID) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.of(id)
	if e.hungry || e.starved {
		return 0
	}
	_, replays := l.roomOf(e, 0)
	return replays
}

// settle ends a claim and reports whether more may be due.
func (l *paces) settle(id relay.ID, replay bool) (more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.count(id, replay, -1)
	return e.hungry || e.starved
}

func (l *paces) count(id relay.ID, replay bool, n int) *pace {
	e := l.of(id)
	e.claimed += n
	l.total += n
	if replay {
		e.replays += n
		l.replays += n
	}
	return e
}

// sated notes that nothing more is due for an endpoint, or nothing but replays.
func (l *paces) sated(id relay.ID, replaysToo bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.of(id)
	e.hungry = false
	if replaysToo {
		e.starved = false
	}
}

// enter waits until the endpoint may get one more request.
func (l *paces) enter(ctx context.Context, id relay.ID, maxInFlight int) error {
	for {
		l.mu.Lock()
		e := l.of(id)
		allowed := e.allowed
		if maxInFlight > 0 {
			allowed = maxInFlight
		}
		if e.sending < allowed {
			e.sending++
			l.mu.Unlock()
			return nil
		}
		turn := make(chan struct{}, 1)
		e.waiters = append(e.waiters, turn)
		l.mu.Unlock()
		select {
		case <-turn:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// leave ends a request and learns from it. An endpoint that answers gets more
// at a time, one by one; one that cannot be reached gets half.
func (l *paces) leave(id relay.ID, took time.Duration, outcome relay.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.of(id)
	e.sending--
	e.average = (7*e.average + took) / 8
	switch outcome {
	case relay.OutcomeTimeout, relay.OutcomeConnect, relay.OutcomeDNS, relay.OutcomeReset, relay.OutcomeTLS, relay.OutcomeBlocked:
		e.failing = true
		e.allowed = max(e.allowed/2, min(leastConcurrency, l.most))
	default:
		e.failing = false
		e.allowed = min(e.allowed+1, l.most)
	}
	for range max(min(len(e.waiters), e.allowed-e.sending), 0) {
		e.waiters[0] <- struct{}{}
		e.waiters = e.waiters[1:]
	}
}

// tidy forgets endpoints of which nothing is on its way and nothing was for a
// while.
func (l *paces) tidy(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, e := range l.byID {
		switch {
		case e.claimed > 0 || e.sending > 0 || len(e.waiters) > 0:
			e.used = now
		case now.Sub(e.used) > 10*time.Minute:
			delete(l.byID, id)
		}
	}
}
