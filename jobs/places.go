package jobs

import (
	"sync"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// places are what a process shares out: the window, which holds claims from
// when they are made until they are recorded, and the senders, which make
// requests. Whoever takes long gets few of both: a quick endpoint fills the
// senders, a slow or dead one ties up next to nothing.
//
//   - An endpoint makes as many requests at a time as it copes with: one at first,
//     one more after each answer, half as many after it could not be reached.
//   - Endpoints that take their time have half of the senders and of the window
//     together. Only the one request that tells whether an endpoint does goes beyond
//     that, and leaves an eighth to those that are known to be quick.
//   - Replays have half of the senders and of the window, and so has a project of the
//     senders while others could use them.
type places struct {
	mu      sync.Mutex
	window  int
	senders int
	byID    map[relay.ID]*place
	waiting []*place // that have somebody waiting for a sender, in turn
	claimed use
	sending use
	shares  map[relay.ID]int // senders of each project
}

// use is how much of something is in use, and by whom.
type use struct{ all, slow, unproven, replays int }

func (u *use) add(p *place, replay bool, n int) {
	u.all += n
	switch p.class {
	case classSlow:
		u.slow += n
	case classUnproven:
		u.unproven += n
	}
	if replay {
		u.replays += n
	}
}

// free is how much more of all there is p may use.
func (u *use) free(p *place, replay bool, all int) int {
	free := all - u.all
	switch p.class {
	case classSlow:
		free = min(free, half(all)-u.slow)
	case classUnproven:
		free = min(free, max(all-all/8, 1)-u.slow-u.unproven)
	}
	if replay {
		free = min(free, half(all)-u.replays)
	}
	return free
}

func half(all int) int { return max(all/2, 1) }

// class says how long an endpoint takes to answer.
type class byte

const (
	classUnproven class = iota // it has not answered yet
	classQuick
	classSlow // on average, or its present request already
)

const (
	// quick is how long an answer of a quick endpoint takes at most.
	quick = 250 * time.Millisecond
	// placeKept is for how long an endpoint is remembered that gets nothing.
	placeKept = 10 * time.Minute
)

// place is one endpoint's part.
type place struct {
	project     relay.ID
	most        int // requests at a time by the endpoint's own bound; 0: none
	claimed     int // on their way, requests included
	replays     int // of these
	sending     int // requests under way
	allowed     int // requests at the same time
	class       class
	average     time.Duration // of recent requests
	more        bool          // more is due than was claimed
	begun       map[*turn]time.Time
	liveWait    []*turn
	replaysWait []*turn
	used        time.Time
}

func newPlaces(senders int) *places {
	return &places{senders: senders, window: windowOf(senders), byID: map[relay.ID]*place{}, shares: map[relay.ID]int{}}
}

// windowOf is how many claims a process holds: enough to keep the senders busy
// while the next are made, few enough to be given back quickly.
func windowOf(senders int) int { return min(8*senders, 1000) }

func (l *places) of(ep *relay.Endpoint) *place {
	p := l.byID[ep.ID]
	if p == nil {
		p = &place{project: ep.ProjectID, allowed: 1, begun: map[*turn]time.Time{}}
		l.byID[ep.ID] = p
	}
	p.most = ep.MaxInFlight
	return p
}

// together is how many requests an endpoint may make at the same time.
func (p *place) together() int {
	if p.most > 0 && p.class != classUnproven {
		return p.most
	}
	return p.allowed
}

// room is how many more claims an endpoint may have, or how many of its replays.
func (l *places) room(p *place, replay bool) int {
	window := p.together()
	if p.most == 0 && p.class == classQuick {
		window = min(8*p.allowed, half(l.window))
	}
	free := min(window-p.claimed, l.claimed.free(p, replay, l.window))
	if replay {
		free = min(free, half(window)-p.replays)
	}
	return max(free, 0)
}

// reserve takes room for up to most claims on what is due for an endpoint. What
// is not claimed of it is to be given back.
func (l *places) reserve(ep *relay.Endpoint, replay bool, most int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.of(ep)
	n := min(l.room(p, replay), most)
	if n < most {
		p.more = true
	}
	l.count(p, replay, n)
	return n
}

// take makes room for a delivery that is only about to be made, unless
// something older waits for the same endpoint.
func (l *places) take(ep *relay.Endpoint) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.of(ep)
	if p.more || l.room(p, false) == 0 {
		return false
	}
	l.count(p, false, 1)
	return true
}

// giveBack frees the room of n claims. It reports whether more may be due, and
// there is so much room again that claiming it is worth the while.
func (l *places) giveBack(endpoint relay.ID, replay bool, n int) (more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.byID[endpoint]
	l.count(p, replay, -n)
	return p.more && l.room(p, replay) >= min(p.claimed/4+1, batchSize)
}

func (l *places) count(p *place, replay bool, n int) {
	p.claimed += n
	if replay {
		p.replays += n
	}
	l.claimed.add(p, replay, n)
}

// due notes whether an endpoint has more that is due.
func (l *places) due(endpoint relay.ID, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.byID[endpoint]; p != nil {
		p.more = more
	}
}

func (l *places) learn(p *place, took time.Duration, outcome relay.Outcome) {
	if p.average == 0 {
		p.average = took
	}
	p.average = (7*p.average + took) / 8
	switch outcome {
	case relay.OutcomeTimeout, relay.OutcomeConnect, relay.OutcomeDNS, relay.OutcomeReset, relay.OutcomeTLS, relay.OutcomeBlocked:
		p.allowed = half(p.allowed)
	default:
		p.allowed = min(p.allowed+1, half(l.senders))
	}
	if p.average < quick {
		l.become(p, classQuick)
	} else {
		l.become(p, classSlow)
	}
}

// become moves what an endpoint has in use from one class to another.
func (l *places) become(p *place, c class) {
	if p.class == c {
		return
	}
	l.claimed.add(p, false, -p.claimed)
	l.sending.add(p, false, -p.sending)
	p.class = c
	l.claimed.add(p, false, p.claimed)
	l.sending.add(p, false, p.sending)
}

// inUse is how many claims this process holds and how many requests it makes.
func (l *places) inUse() (claimed, sending int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.claimed.all, l.sending.all
}

// look finds endpoints whose present requests take long, and forgets those
// that get nothing any more.
func (l *places) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for id, p := range l.byID {
		for _, at := range p.begun {
			if now.Sub(at) >= quick {
				l.become(p, classSlow)
				break
			}
		}
		switch {
		case p.claimed > 0 || p.sending > 0 || p.first() != nil:
			p.used = now
		case now.Sub(p.used) > placeKept:
			delete(l.byID, id)
		}
	}
	l.wake()
}
