package main

import (
	"math"
	"slices"
)

// latency is a distribution in milliseconds.
type latency struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// latencyOf sorts nanoseconds in place and sums them up.
func latencyOf(ns []int64) latency {
	if len(ns) == 0 {
		return latency{}
	}
	slices.Sort(ns)
	at := func(q float64) float64 {
		i := int(math.Ceil(q*float64(len(ns)))) - 1
		return round(float64(ns[max(i, 0)])/1e6, 3)
	}
	return latency{P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: at(1)}
}

func round(v float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}
