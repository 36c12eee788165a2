package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/reprise-dev/reprise/db"
)

func retentionCommand() *cobra.Command {
	retention := &cobra.Command{Use: "retention", Short: "What is kept for how long"}
	var dryRun, all bool
	run := &cobra.Command{
		Use: "run", Short: "Remove what is older than its source keeps it", Args: cobra.NoArgs,
		Long: "Removes events that are older than their source keeps them, finished replay jobs after 30 days and audit entries after\n" +
			"REPRISE_AUDIT_DAYS, and cancels plans that nobody started for 7 days. The server does the same every day at 06:00 UTC. Works on the database directly, also beside a running server.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := settings()
			if err != nil {
				return err
			}
			return withStore(cmd, func(ctx context.Context, store *db.Store) error {
				retain := store.RunRetention
				if dryRun {
					retain = store.RetentionPreview
				}
				report, err := retain(ctx, db.RetentionOptions{AuditDays: cfg.AuditDays, All: all})
				if err != nil {
					return err
				}
				return writeRetention(cmd.OutOrStdout(), &report, dryRun)
			})
		},
	}
	run.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be removed, and remove nothing")
	run.Flags().BoolVar(&all, "all", false, "remove all that is old at once, and believe the clock")
	retention.AddCommand(run)
	return retention
}

func writeRetention(w io.Writer, r *db.RetentionReport, dryRun bool) error {
	rows := [][]string{{"SOURCE", "RECEIVED BEFORE", "EVENTS", "DELIVERIES"}}
	for _, s := range r.Sources {
		rows = append(rows, []string{cmp.Or(s.Name, "(deleted)"), s.Before.UTC().Format(time.RFC3339), grouped(int64(s.Events)), grouped(int64(s.Deliveries))})
	}
	if len(r.Sources) > 0 {
		if err := table(w, rows); err != nil {
			return err
		}
	}
	did, cancelled := "Removed", "cancelled"
	if dryRun {
		did, cancelled = "Nothing was removed; a run would remove", "cancel"
	}
	if r.Left {
		did = "There is more that is old than one run removes; the next one goes on. " + did
	}
	events, deliveries := 0, 0
	for _, s := range r.Sources {
		events, deliveries = events+s.Events, deliveries+s.Deliveries
	}
	_, err := fmt.Fprintf(w, "%s %s, %s, %s and %s, and %s %s that nobody started.\n", did, count(events, "event", "events"),
		count(deliveries, "delivery", "deliveries"), count(r.Replays, "finished replay job", "finished replay jobs"),
		count(r.AuditEntries, "audit entry", "audit entries"), cancelled, count(r.Plans, "plan", "plans"))
	return err
}

func count(n int, one, many string) string {
	if n == 1 {
		return strconv.Itoa(n) + " " + one
	}
	return grouped(int64(n)) + " " + many
}
