package main

import (
	"math/rand/v2"
	"time"
)

// target is an endpoint and how it behaves when nothing is wrong with it.
type target struct {
	name   string
	takes  []string // types of events
	limits map[string]any
	wait   time.Duration
	flaky  bool
}

const (
	httpTimeout = 5 * time.Second
	slowAnswer  = 4 * time.Second
	mostBounded = 3
	rateLimited = 120 // a second
)

var targets = []target{
	{name: "quick", takes: []string{"quick", "all"}},
	{name: "limited", takes: []string{"limited", "all"}, limits: map[string]any{"rate_limit": rateLimited, "rate_limit_duration": 1}},
	{name: "bounded", takes: []string{"bounded", "all"}, limits: map[string]any{"max_in_flight": mostBounded}, wait: 5 * time.Millisecond},
	{name: "flaky", takes: []string{"flaky", "all"}, flaky: true},
	{name: "slow", takes: []string{"slow"}, wait: time.Second},
}

// shares are how many of a hundred events have a type.
var shares = []struct {
	name string
	of   int
}{{"quick", 63}, {"limited", 10}, {"bounded", 5}, {"flaky", 14}, {"slow", 1}, {"all", 7}}

// plan is what a seed stands for.
type plan struct {
	types  []string // of the events, in their order
	faults []fault
}

// fault is something that goes wrong, or that somebody does meanwhile.
type fault struct {
	kind kind
	at   time.Duration
	pick uint64 // chooses whom it hits
	long time.Duration
}

type kind string

const (
	kill      kind = "kill"
	freeze    kind = "freeze"
	flush     kind = "flush"
	redisKill kind = "redis killed"
	redisAway kind = "redis away"
	restart   kind = "postgres restarted"
	crash     kind = "postgres crashed"
	terminate kind = "backends terminated"
	hang      kind = "hang"
	reset     kind = "reset"
	refuse    kind = "refuse"
	slow      kind = "slow"
	pause     kind = "endpoint paused"
	replay    kind = "replay"
	halted    kind = "replay paused"
	cancelled kind = "replay cancelled"
	discard   kind = "discard"
	ended     kind = "ended by itself"
)

// everyFault is what happens in a whole run, in an order that the seed gives.
var everyFault = []kind{
	kill, kill, kill, freeze, freeze, flush, flush, redisKill, redisAway, restart, crash, terminate, terminate, terminate,
	hang, hang, reset, refuse, slow, pause, replay, replay, halted, cancelled, discard, discard,
}

// newPlan draws lots. The faults are spread over the first four fifths of the
// time; processes die in the first half, so that their queues are gone in the end.
func newPlan(o options) plan {
	lots := rand.New(rand.NewPCG(o.seed, 0))
	p := plan{types: make([]string, o.events)}
	for i := range p.types {
		n := lots.IntN(100)
		for _, s := range shares {
			if n -= s.of; n < 0 {
				p.types[i] = s.name
				break
			}
		}
	}
	kinds := make([]kind, 0, len(everyFault))
	for _, i := range lots.Perm(len(everyFault)) {
		kinds = append(kinds, everyFault[i])
	}
	kinds = kinds[:min(max(o.faults, 0), len(kinds))]
	whole := time.Duration(float64(o.events) / o.rate * float64(time.Second))
	for i, k := range kinds {
		share := 0.04 + 0.76*(float64(i)+lots.Float64())/float64(len(kinds))
		if k == kill {
			share *= 0.6
		}
		p.faults = append(p.faults, fault{kind: k, at: time.Duration(share * float64(whole)), pick: lots.Uint64(), long: o.long})
	}
	return p
}
