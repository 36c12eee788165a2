package jobs

import (
	"context"
	"slices"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// turn is a claim that waits for a sender, or has one.
type turn struct {
	*place
	replay bool
	ready  chan struct{} // closed when it may begin
}

// enter waits until a claim may begin its request; leave ends it. waited says
// whether it had to wait.
func (l *places) enter(ctx context.Context, ep *relay.Endpoint, replay bool) (t *turn, waited bool, err error) {
	l.mu.Lock()
	p := l.of(ep)
	t = &turn{place: p, replay: replay, ready: make(chan struct{})}
	if p.first() == nil && l.mayBegin(t) {
		l.begin(t)
		l.mu.Unlock()
		return t, false, nil
	}
	if p.first() == nil {
		l.waiting = append(l.waiting, p)
	}
	p.queue(t)
	l.mu.Unlock()
	select {
	case <-t.ready:
		return t, true, nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.unqueue(t) {
		return nil, true, ctx.Err()
	}
	return t, true, nil // it was let in meanwhile
}

func (p *place) queue(t *turn) {
	if t.replay {
		p.replaysWait = append(p.replaysWait, t)
	} else {
		p.liveWait = append(p.liveWait, t)
	}
}

// first is who is next to get a sender: live deliveries before replays.
func (p *place) first() *turn {
	switch {
	case len(p.liveWait) > 0:
		return p.liveWait[0]
	case len(p.replaysWait) > 0:
		return p.replaysWait[0]
	}
	return nil
}

// unqueue reports whether t still waited.
func (p *place) unqueue(t *turn) bool {
	for _, list := range []*[]*turn{&p.liveWait, &p.replaysWait} {
		if i := slices.Index(*list, t); i >= 0 {
			*list = slices.Delete(*list, i, i+1)
			return true
		}
	}
	return false
}

func (l *places) mayBegin(t *turn) bool {
	return l.fits(t) && (l.shares[t.project] < half(l.senders) || l.alone(t.project))
}

// fits reports whether there is a sender for t if its project may have one.
func (l *places) fits(t *turn) bool {
	return t.sending < t.together() && l.sending.free(t.place, t.replay, l.senders) > 0
}

// alone reports whether nobody of another project waits who could have a sender.
func (l *places) alone(project relay.ID) bool {
	return !slices.ContainsFunc(l.waiting, func(p *place) bool {
		t := p.first()
		return t != nil && p.project != project && l.fits(t)
	})
}

func (l *places) begin(t *turn) {
	t.sending++
	t.begun[t] = time.Now()
	l.shares[t.project]++
	l.sending.add(t.place, t.replay, 1)
	close(t.ready)
}

// leave ends a request and learns from it.
func (l *places) leave(t *turn, outcome relay.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := t.place
	took := time.Since(p.begun[t])
	delete(p.begun, t)
	p.sending--
	l.sending.add(p, t.replay, -1)
	if l.shares[p.project]--; l.shares[p.project] == 0 {
		delete(l.shares, p.project)
	}
	if outcome != "" {
		l.learn(p, took, outcome)
	}
	l.wake()
}

// wake lets those begin who may, endpoint by endpoint.
func (l *places) wake() {
	for refused := 0; refused < len(l.waiting) && l.sending.all < l.senders; {
		p := l.waiting[0]
		l.waiting = l.waiting[1:]
		t := p.first()
		if t == nil { // it gave up
			continue
		}
		if l.mayBegin(t) {
			p.unqueue(t)
			l.begin(t)
			refused = 0
		} else {
			refused++
		}
		if p.first() != nil {
			l.waiting = append(l.waiting, p)
		}
	}
}
