package simulation

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds = flag.Uint64("seeds", 100, "how many simulations to run")
	first = flag.Uint64("first", 1, "the seed of the first one; the others follow")
)

// TestSimulation runs a simulation for each seed.
func TestSimulation(t *testing.T) {
	empty := emptyDatabase(t)
	for seed := *first; seed < *first+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { simulate(t, seed, empty) })
		})
	}
}

// simulate lets some seconds pass in which webhooks come in, people do things and
// things fail, and then as much time as what is open needs to come to its end.
func simulate(t *testing.T, seed uint64, empty []byte) {
	w := newWorld(t, seed, empty)
	defer w.end()
	for range 15 {
		if p := w.free(); p != nil {
			for range w.roll(3) * w.roll(5) {
				go p.receive()
			}
			if w.roll(3) == 0 {
				w.somebody(p)
			}
		}
		moment := time.Duration(w.roll(1000)) * time.Millisecond
		w.pass(moment)
		if w.roll(4) == 0 {
			w.fail()
		}
		w.heal()
		w.pass(time.Second - moment)
		if t.Failed() {
			return
		}
	}
	for len(w.pending) > 0 {
		w.heal()
		w.pass(time.Second)
		if t.Failed() {
			return
		}
	}
	w.tell("nothing fails any more")
	w.settled.Store(true)
	w.must(w.resumeAll(context.Background(), w.processes[0]))
	for healed := time.Now(); w.open() > 0; {
		if time.Since(healed) > 10*time.Minute {
			w.broken("%d deliveries and jobs have not ended after ten minutes without a fault", w.open())
			return
		}
		w.settle(context.Background(), w.processes[0])
		w.pass(5 * time.Second)
		if t.Failed() {
			return
		}
	}
	w.pass(10 * time.Second)
	w.checkEnd()
}

// pass lets time pass and checks what must hold then.
func (w *world) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
	w.check()
}
