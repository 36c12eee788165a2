package main

import (
	"slices"
	"time"
)

// checkInFlight: the endpoint with a bound never has more requests at a time,
// unless a process is gone whose requests are still running.
func (f *findings) checkInFlight(s *story) result {
	out := result{name: "max_in_flight holds"}
	why := s.of(httpTimeout+faultGrace, kill, freeze, crash, ended)
	for _, t := range f.over("bounded", mostBounded) {
		if !touched(why, t.at, t.at) {
			out.fault("%d requests at a time at %.2f s, with a bound of %d", t.n, t.at.Sub(s.began).Seconds(), mostBounded)
		}
	}
	return out
}

// count is how many there were at a time.
type count struct {
	at time.Time
	n  int
}

// course is how many requests of a path were under way, whenever that changed.
func (f *findings) course(path string) []count {
	var steps []count
	for _, a := range f.arrivals {
		if a.path == path {
			steps = append(steps, count{a.from, 1}, count{a.last(), -1})
		}
	}
	slices.SortStableFunc(steps, func(a, b count) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return a.n - b.n
	})
	now := 0
	for i := range steps {
		now += steps[i].n
		steps[i].n = now
	}
	return steps
}

// over are the times at which a path had more than so many.
func (f *findings) over(path string, most int) (out []count) {
	for _, c := range f.course(path) {
		if c.n > most {
			out = append(out, c)
		}
	}
	return out
}

// A rate is granted when deliveries are claimed, and requests come a little
// later, some sooner than others: so it is held against a long stretch.
const (
	rateStretch = 10 * time.Second
	rateLate    = time.Second // between claim and request
)

// checkRate: the endpoint with a rate gets no more than it in any stretch.
func (f *findings) checkRate(s *story) result {
	out := result{name: "rate_limit holds"}
	most := rateLimited * int((rateStretch+rateLate)/time.Second+1)
	why := s.of(faultGrace, kill, freeze, crash, ended)
	for _, c := range f.within("limited", rateStretch) {
		if c.n > most && !touched(why, c.at.Add(-rateStretch), c.at) {
			out.fault("%d requests in the %s up to %.1f s, with a limit of %d a second", c.n, rateStretch, c.at.Sub(s.began).Seconds(), rateLimited)
		}
	}
	return out
}

// within is how many requests came in the time up to each of them.
func (f *findings) within(path string, stretch time.Duration) (out []count) {
	var times []time.Time
	for _, a := range f.arrivals {
		if a.path == path {
			times = append(times, a.from)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	first := 0
	for i, at := range times {
		for at.Sub(times[first]) >= stretch {
			first++
		}
		out = append(out, count{at, i - first + 1})
	}
	return out
}

// peak is the highest of some counts.
func peak(counts []count) (most int) {
	for _, c := range counts {
		most = max(most, c.n)
	}
	return most
}
