package db

import (
	"strings"
	"testing"
)

// TestReplayPagesFindDeliveriesByEvent: SQLite walked all deliveries of the
// project for each pair of a page, which held up every other writer.
func TestReplayPagesFindDeliveriesByEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqliteURL(t))
	args := strings.NewReplacer("?1", "x'01'", "?2", "x'02'", "?3", "x'03'", "?4", "x'04'")
	for _, query := range []string{pairFacts.sqlite, markReplayed.sqlite, strings.ReplaceAll(sumEvents.sqlite, "?", "x'01'")} {
		for line := range strings.SplitSeq(w.plan(t, args.Replace(query)), "\n") {
			if strings.Contains(line, "PRIMARY KEY (project_id=?)") || strings.Contains(line, "SCAN deliveries") || strings.Contains(line, "SCAN d") {
				t.Errorf("%s\nof\n%s", line, query)
			}
		}
	}
}
