package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// table writes rows in columns. What comes from strangers is made harmless for
// terminals.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, row := range rows {
		for i := range row {
			row[i] = plain(row[i])
		}
		if _, err := fmt.Fprintln(t, strings.TrimRight(strings.Join(row, "\t"), "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

// plain is text without what a terminal would obey.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// writePlan writes what a job will do.
func (j *job) writePlan(w io.Writer) error {
	p := &j.Plan
	rows := [][]string{
		{"Plan", j.ID},
		{"Events", grouped(p.Events)},
		{"Deliveries", grouped(p.Deliveries)},
		{"Received", cmp.Or(p.Oldest, "–") + " to " + cmp.Or(p.Newest, "–")},
		{"Takes about", span(p.ExpectedSeconds) + " at " + fmt.Sprint(j.RateLimit) + "/s"},
	}
	if j.Note != "" {
		rows = append(rows, []string{"Note", j.Note})
	}
	if j.Canary > 0 {
		rows = append(rows, []string{"Canary", grouped(int64(j.Canary)) + " first"})
	}
	if j.Brake > 0 {
		rows = append(rows, []string{"Brake", fmt.Sprintf("pauses when over %d%% of the last 50 deliveries failed", j.Brake)})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	where := [][]string{{"ENDPOINT", "NAME", "DELIVERIES", "ALREADY DELIVERED"}}
	for _, r := range p.ByEndpoint {
		where = append(where, []string{r.EndpointID, r.Name, grouped(r.Deliveries), grouped(r.AlreadyDelivered)})
	}
	types := [][]string{{"EVENT TYPE", "EVENTS"}}
	for _, r := range p.ByType {
		types = append(types, []string{r.EventType, grouped(r.Events)})
	}
	why := [][]string{{"NOT REPLAYABLE", "EVENTS"}}
	for _, r := range p.NotReplayable {
		why = append(why, []string{r.Reason, grouped(r.Events)})
	}
	for _, rows := range [][][]string{where, types, why} {
		if len(rows) == 1 {
			continue
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		if err := table(w, rows); err != nil {
			return err
		}
	}
	return nil
}

// write writes a job and its progress.
func (j *job) write(w io.Writer) error {
	if j.Status == "planned" {
		return j.writePlan(w)
	}
	status := j.Status
	if j.Reason != "" {
		status += ": " + j.Reason
	}
	rows := [][]string{{"Job", j.ID}, {"Status", status}, {"Progress", j.line()}, {"Rate", fmt.Sprint(j.RateLimit) + "/s at most"}}
	if j.Note != "" {
		rows = append(rows, []string{"Note", j.Note})
	}
	return table(w, rows)
}

// writeJobs writes a list of jobs.
func writeJobs(w io.Writer, jobs []job) error {
	rows := [][]string{{"JOB", "STATUS", "CREATED", "DONE", "FAILED", "NOTE"}}
	for i := range jobs {
		j := &jobs[i]
		rows = append(rows, []string{j.ID, j.Status, j.CreatedAt, grouped(j.Progress.Processed) + "/" + grouped(j.Progress.Total), grouped(j.Progress.Failed), j.Note})
	}
	return table(w, rows)
}

// writeFailures writes why deliveries of a job failed.
func writeFailures(w io.Writer, groups []failureRow) error {
	if len(groups) == 0 {
		_, err := fmt.Fprintln(w, "Nothing failed.")
		return err
	}
	rows := [][]string{{"COUNT", "RETRYING", "CAUSE", "EXAMPLE", "FIRST DELIVERY"}}
	for _, g := range groups {
		rows = append(rows, []string{grouped(g.Count), grouped(g.Retrying), g.Cause, shortened(g.Example), g.FirstID})
	}
	return table(w, rows)
}

const exampleWidth = 60

func shortened(s string) string {
	if runes := []rune(s); len(runes) > exampleWidth {
		return string(runes[:exampleWidth-1]) + "…"
	}
	return s
}
