package main

import (
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/db"
)

func TestWriteRetention(t *testing.T) {
	t.Parallel()
	report := &db.RetentionReport{Sources: []db.RetainedSource{{Name: "Shop", Events: 1200, Deliveries: 1}, {Events: 1}}, Replays: 1, Plans: 2, AuditEntries: 3}
	for dryRun, want := range map[bool]string{
		false: "Removed 1,201 events, 1 delivery, 1 finished replay job and 3 audit entries, and cancelled 2 plans that nobody started.\n",
		true:  "Nothing was removed; a run would remove 1,201 events, 1 delivery, 1 finished replay job and 3 audit entries, and cancel 2 plans that nobody started.\n",
	} {
		var out strings.Builder
		if err := writeRetention(&out, report, dryRun); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(out.String(), want) || !strings.Contains(out.String(), "(deleted)") {
			t.Errorf("dry run %v:\n%s", dryRun, out.String())
		}
	}
}
