package relay

import (
	"fmt"
	"time"
)

// Clocks are what tells the time when something is to be removed for its age.
// One of them that jumped must not remove everything. A zero time is not known.
type Clocks struct {
	Process     time.Time // of the process that removes
	Database    time.Time // of the database's server, if it has a clock of its own
	NewestEvent time.Time // when the newest event came in
	LastRun     time.Time // when this was last judged
}

const (
	// clockSkew is how far clocks that should agree may be apart.
	clockSkew = 5 * time.Minute
	// longestGap is how long ago the last run may be before the time is not
	// believed at once: it runs daily.
	longestGap = 7 * 24 * time.Hour
)

// Disagree says why the clocks are not to be believed now; empty: they are. A time
// that goes on from here is believed at the next run, a day later: a server that
// was off for months begins to remove then.
func (c Clocks) Disagree() string {
	apart := c.Process.Sub(c.Database).Abs()
	switch {
	case !c.Database.IsZero() && apart > clockSkew:
		return fmt.Sprintf("the clocks of this machine and of the database are %s apart", apart.Round(time.Second))
	case !c.LastRun.IsZero() && c.LastRun.Sub(c.Process) > clockSkew:
		return fmt.Sprintf("the last run was at %s, which is still to come", c.LastRun.UTC().Format(time.RFC3339))
	case c.NewestEvent.Sub(c.Process) > clockSkew:
		return fmt.Sprintf("the newest event came in at %s, which is still to come", c.NewestEvent.UTC().Format(time.RFC3339))
	case !c.LastRun.IsZero() && c.Process.Sub(c.LastRun) > longestGap:
		return fmt.Sprintf("the last run was on %s: either the clock jumped or this did not run since", c.LastRun.UTC().Format(time.DateOnly))
	}
	return ""
}

// leastRemoved is how many may always be removed at once.
const leastRemoved = 1000

// MostRemoved is how many of so many events of a source one run may remove: a
// fifth, so that a mistake is noticed before all are gone.
func MostRemoved(events int) int { return max(leastRemoved, events/5) }
