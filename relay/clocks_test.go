package relay

import (
	"strings"
	"testing"
	"time"
)

func TestClocks(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 6, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		clocks Clocks
		says   string
	}{
		"all agree":               {Clocks{now, now.Add(time.Second), now.Add(-time.Minute), now.Add(-day)}, ""},
		"the first run":           {Clocks{Process: now}, ""},
		"SQLite, nothing came in": {Clocks{Process: now, LastRun: now.Add(-day)}, ""},
		"a weekend off":           {Clocks{now, now, now.Add(-3 * day), now.Add(-3 * day)}, ""},
		"three months off":        {Clocks{now, now, now.Add(-90 * day), now.Add(-90 * day)}, "the last run was on 2026-02-03"},
		"the day after that":      {Clocks{now, now, now.Add(-91 * day), now.Add(-day)}, ""},
		"the process jumped":      {Clocks{now.Add(365 * day), now, now, now.Add(-day)}, "8760h0m0s apart"},
		"the machine jumped":      {Clocks{now.Add(365 * day), now.Add(365 * day), now, now.Add(-day)}, "the last run was on"},
		"the database jumped":     {Clocks{now, now.Add(-time.Hour), now, now.Add(-day)}, "1h0m0s apart"},
		"it was set back":         {Clocks{now, now, now.Add(30 * day), now.Add(-day)}, "still to come"},
		"set back after a run":    {Clocks{now, now, now, now.Add(30 * day)}, "still to come"},
	} {
		got := c.clocks.Disagree()
		if (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: %q, want %q", name, got, c.says)
		}
	}
	for events, most := range map[int]int{0: 1000, 1000: 1000, 10_000: 2000, 1_000_000: 200_000} {
		if got := MostRemoved(events); got != most {
			t.Errorf("of %d events %d, want %d", events, got, most)
		}
	}
}
