package main

import (
	"slices"
)

// comparison is how much longer live events took beside a job than with it
// paused: the median over the turns, so that a stall of the machine in one of
// them does not decide, and over all events at once.
type comparison struct {
	Turns  []turn `json:"turns"`
	Ratio  ratio  `json:"live_ratio"`
	Pooled ratio  `json:"live_ratio_pooled"`
}

// turn is one measurement of each, in milliseconds.
type turn struct {
	Alone  latency `json:"alone"`
	Beside latency `json:"beside"`
}

// ratio is one latency over another.
type ratio struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
}

func (l latency) over(other latency) ratio {
	return ratio{
		P50: round(l.P50/other.P50, 2), P90: round(l.P90/other.P90, 2), P99: round(l.P99/other.P99, 2),
	}
}

// compare takes as many measurements of each.
func compare(alone, beside []latency) comparison {
	var c comparison
	var p50, p90, p99 []float64
	for i := range alone {
		c.Turns = append(c.Turns, turn{Alone: alone[i], Beside: beside[i]})
		r := beside[i].over(alone[i])
		p50, p90, p99 = append(p50, r.P50), append(p90, r.P90), append(p99, r.P99)
	}
	c.Ratio = ratio{P50: round(median(p50), 2), P90: round(median(p90), 2), P99: round(median(p99), 2)}
	return c
}

// median sorts in place. It is 0 for nothing.
func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	half := len(of) / 2
	if len(of)%2 == 1 {
		return of[half]
	}
	return (of[half-1] + of[half]) / 2
}
