package main

import (
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

const shownFaults = 5 // of a check

// summary prints what was found as tables, and answers an error if a check failed.
func summary(s *story, f *findings, results []result, sending time.Time) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	statuses := map[relay.DeliveryStatus]int{}
	for _, d := range f.rows {
		statuses[d.Status]++
	}
	fmt.Fprintf(w, "\nevents sent\t%d\naccepted\t%d\nin the database\t%d\n", len(f.types), len(f.accepted), len(f.events))
	for _, status := range []relay.DeliveryStatus{relay.DeliveryDelivered, relay.DeliveryDLQ, relay.DeliveryDiscarded, relay.DeliveryPending, relay.DeliveryRetrying} {
		fmt.Fprintf(w, "deliveries %s\t%d\n", status, statuses[status])
	}
	unexplained := 0
	for _, r := range results {
		if r.name == "repeats have a reason" {
			unexplained = len(r.faults)
		}
	}
	fmt.Fprintf(w, "requests\t%d\nrepeats\t%d\nof these unexplained\t%d\n", len(f.arrivals), f.repeats(), unexplained)
	for _, t := range targets {
		fmt.Fprintf(w, "most at a time to %s\t%d\n", t.name, peak(f.course(t.name)))
	}
	fmt.Fprintf(w, "most a second to limited\t%d\n", peak(f.within("limited", time.Second)))
	fmt.Fprintf(w, "until all was final\t%s\n", f.ended.Round(time.Second))
	fmt.Fprintf(w, "the whole run\t%s, %s of it since the first event\n\n", time.Since(s.began).Round(time.Second), time.Since(sending).Round(time.Second))
	failed := false
	for _, r := range results {
		if len(r.faults) == 0 {
			fmt.Fprintf(w, "ok\t%s\n", r.name)
			continue
		}
		failed = true
		fmt.Fprintf(w, "FAILED\t%s: %d\n", r.name, len(r.faults))
		for _, fault := range r.faults[:min(len(r.faults), shownFaults)] {
			fmt.Fprintf(w, "\t%s\n", fault)
		}
	}
	if err := w.Flush(); err != nil || !failed {
		return err
	}
	return errors.New("a check failed")
}
