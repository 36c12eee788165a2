package main

import (
	"runtime"
	"testing"
)

func TestTuneRuntime(t *testing.T) {
	was := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(was) })
	for _, c := range []struct {
		database, asked string
		places          int
	}{
		{"sqlite://data/reprise.db", "", was + 1},
		{"sqlite://data/reprise.db", "8", was},
		{"postgres://localhost/reprise", "", was},
	} {
		t.Setenv("GOMAXPROCS", c.asked)
		runtime.GOMAXPROCS(was)
		release := tuneRuntime(Config{DatabaseURL: c.database})
		if n := runtime.GOMAXPROCS(0); n != c.places {
			t.Errorf("%s with GOMAXPROCS=%q: %d places, not %d", c.database, c.asked, n, c.places)
		}
		release()
	}
}
