package jobs

import (
	"slices"
	"time"
)

// history are the acts of the past that count against a rate, oldest first.
type history []acts

// acts are some that count as if all had been when the last one may have been.
type acts struct {
	at int64 // microseconds
	n  int
}

// limitSteps bounds a history. Up to this rate each act is an entry; of a
// higher rate the acts of a hundredth of the time are one.
const limitSteps = 100

// limitStep is how long acts go into the same entry, in microseconds.
func limitStep(rate int, per time.Duration) int64 {
	if rate <= limitSteps {
		return 1
	}
	return max(1, per.Microseconds()/limitSteps)
}

// since is what came after a time.
func (h history) since(at int64) history {
	for len(h) > 0 && h[0].at <= at {
		h = h[1:]
	}
	return h
}

// wait is how long there is no room for one more at a rate; 0: there is.
func (h history) wait(now int64, rate int, per int64) int64 {
	h = h.since(now - per)
	used, wait := 0, int64(0)
	for _, a := range h {
		used += a.n
	}
	for i := 0; used >= rate; i++ {
		used -= h[i].n
		wait = h[i].at + per - now
	}
	return wait
}

// with is the history and one act more.
func (h history) with(at int64) history {
	if last := len(h) - 1; last >= 0 && h[last].at == at {
		h[last].n++
		return h
	}
	return append(h, acts{at, 1})
}

// without takes back one act. Its entry stays, be it empty: it leaves in time.
func (h history) without(at int64) {
	i := slices.IndexFunc(h, func(a acts) bool { return a.at == at && a.n > 0 })
	if i >= 0 {
		h[i].n--
	}
}
