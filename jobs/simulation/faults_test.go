package simulation

import (
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// fault is something that fails, and after how long that is over.
type fault struct {
	name string
	do   func(*world, *process) (over func())
}

// faults happen one after the other or at the same time. After what over does
// the world is as before.
var faults = []fault{
	{"kill -9", (*world).killed},
	{"kill -9", (*world).killed},
	{"SIGSTOP", func(_ *world, p *process) func() { return p.pause() }},
	{"SIGTERM", func(w *world, p *process) func() {
		w.remove(p)
		p.ended.Go(func() { p.stop(10 * time.Second) })
		return func() { p.ended.Wait(); w.begin() }
	}},
	{"the database cannot be reached", func(w *world, _ *process) func() {
		w.noDatabase.Store(true)
		return func() { w.noDatabase.Store(false) }
	}},
	{"answers to commits are lost", func(w *world, _ *process) func() {
		w.losing.Store(50)
		return func() { w.losing.Store(0) }
	}},
	{"Redis cannot be reached", func(w *world, _ *process) func() {
		w.noRedis.Store(true)
		return func() { w.noRedis.Store(false) }
	}},
	{"Redis is emptied", func(w *world, _ *process) func() {
		w.broker.empty()
		return func() {}
	}},
	{"an endpoint answers 500", func(w *world, _ *process) func() { return w.spoil(w.receivers.broken) }},
	{"an endpoint does not answer", func(w *world, _ *process) func() { return w.spoil(w.receivers.hanging) }},
}

func (w *world) killed(p *process) func() {
	w.remove(p)
	p.kill()
	return func() { p.ended.Wait(); w.begin() }
}

func (w *world) remove(p *process) {
	for i, other := range w.processes {
		if other == p {
			w.processes = append(w.processes[:i:i], w.processes[i+1:]...)
		}
	}
}

// spoil has an endpoint misbehave.
func (w *world) spoil(how map[relay.ID]bool) func() {
	id := w.oneOf(w.targets).ID
	w.receivers.mu.Lock()
	defer w.receivers.mu.Unlock()
	how[id] = true
	return func() {
		w.receivers.mu.Lock()
		defer w.receivers.mu.Unlock()
		delete(how, id)
	}
}

// fail lets something fail for some seconds, unless too much fails already.
func (w *world) fail() {
	if len(w.processes) < 2 {
		return
	}
	f, p := faults[w.roll(len(faults))], w.processes[w.roll(len(w.processes))]
	if p.isStopped() {
		return
	}
	whose := p
	switch f.name {
	case "kill -9", "SIGSTOP", "SIGTERM":
	default:
		whose = nil
	}
	noted := w.trouble(whose, f.name)
	over := f.do(w, p)
	long := 10
	if f.name == "SIGSTOP" {
		long = 40 // others take over after 15 seconds
	}
	w.pending = append(w.pending, pending{time.Now().Add(time.Duration(1+w.roll(long)) * time.Second), func() {
		over()
		noted()
	}})
}

// pending is a fault that will be over.
type pending struct {
	at   time.Time
	over func()
}

// heal ends what is to end by now.
func (w *world) heal() {
	before := w.pending
	w.pending = nil
	for _, f := range before {
		if time.Now().Before(f.at) {
			w.pending = append(w.pending, f)
		} else {
			f.over()
		}
	}
}

// free is a process that is neither stopped nor without its database.
func (w *world) free() *process {
	if w.noDatabase.Load() {
		return nil
	}
	if p := w.processes[w.roll(len(w.processes))]; !p.isStopped() {
		return p
	}
	return nil
}
