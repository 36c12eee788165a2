package main

import (
	"slices"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

const (
	// recordTime is how long after an answer its record may still be lost.
	recordTime = 5 * time.Second
	// faultGrace is how long a fault has consequences.
	faultGrace = 3 * time.Second
)

// checkRepeats: a request is made twice only if a process or the database broke
// between its beginning and its record.
func (f *findings) checkRepeats(s *story) result {
	out := result{name: "repeats have a reason"}
	why := s.of(faultGrace, kill, freeze, restart, crash, terminate, ended)
	for _, d := range f.rows {
		all := f.arrived(d.ID)
		slices.SortFunc(all, func(a, b arrival) int { return a.from.Compare(b.from) })
		for i, again := range all {
			at := slices.IndexFunc(all[:i], func(a arrival) bool { return a.attempt >= again.attempt })
			if at < 0 {
				continue
			}
			if first := all[at]; !touched(why, first.from, first.last().Add(recordTime)) {
				out.fault("%s to %s: attempt %d arrived at %.1f s (answered %d) and again as %d at %.1f s", relay.PrefixDelivery.Format(d.ID), first.path,
					first.attempt, first.from.Sub(s.began).Seconds(), first.status, again.attempt, again.from.Sub(s.began).Seconds())
			}
		}
		if len(all) > d.attempts && !touched(why, all[0].from, all[len(all)-1].last().Add(recordTime)) {
			out.fault("%s arrived %d times and has %d entries in its log", relay.PrefixDelivery.Format(d.ID), len(all), d.attempts)
		}
	}
	return out
}

// last is when whoever made a request had given it up at the latest.
func (a *arrival) last() time.Time {
	most := a.from.Add(httpTimeout)
	if a.to.IsZero() || a.to.After(most) {
		return most
	}
	return a.to
}

// repeats counts the requests beyond the first of an attempt.
func (f *findings) repeats() int {
	type request struct {
		delivery string
		attempt  int
	}
	seen := map[request]bool{}
	for _, a := range f.arrivals {
		seen[request{a.delivery, a.attempt}] = true
	}
	return len(f.arrivals) - len(seen)
}
