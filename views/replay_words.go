package views

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

func replayURL(id relay.ID) string { return "/replays/" + relay.PrefixReplay.Format(id) }

// replayStreamURL tells a page of the progress of a job as it is made.
func replayStreamURL(id relay.ID) string {
	return "/api/v1/replays/" + relay.PrefixReplay.Format(id) + "/stream"
}

func replayExportURL(id relay.ID, format string) string {
	return "/api/v1/replays/" + relay.PrefixReplay.Format(id) + "/export?format=" + format
}

func replayLook(s relay.ReplayStatus) look {
	switch s {
	case relay.ReplayPlanning:
		return look{"loader", "planning", ToneAccent}
	case relay.ReplayPlanned:
		return look{"circle-dashed", "planned", ToneNeutral}
	case relay.ReplayRunning:
		return look{"loader", "running", ToneAccent}
	case relay.ReplayPaused:
		return look{"pause", "paused", ToneWarn}
	case relay.ReplayCompleted:
		return look{"circle-check", "completed", ToneGood}
	case relay.ReplayFailed:
		return look{"circle-x", "failed", ToneBad}
	case relay.ReplayCancelled:
		return look{"ban", "cancelled", ToneNeutral}
	}
	return look{"circle-dashed", string(s), ToneNeutral}
}

// jobLook tells a job that is done but for failures from one that is well.
func jobLook(r *Replay) look {
	if r.Status == relay.ReplayCompleted && r.Progress.Failed > 0 {
		return look{"triangle-alert", "completed", ToneWarn}
	}
	return replayLook(r.Status)
}

// ReplayTitle says in a few words what a job sends where.
func ReplayTitle(r *Replay) string {
	if r.Note != "" {
		return line(r.Note)
	}
	words := make([]string, len(r.Selected))
	for i, f := range r.Selected {
		words[i] = f.Value
	}
	return or(line(strings.Join(words, " · ")), "Every event")
}

// destinationWord says where a job sends to.
func destinationWord(r *Replay) string {
	switch n := len(r.Endpoints); {
	case n == 0:
		return "no endpoint"
	case n == 1:
		return refName(r.Endpoints[0].Name, r.Endpoints[0].ID)
	case r.AllMatching:
		return "all that match (" + count(n) + ")"
	default:
		return plural(n, "endpoint")
	}
}

// paceOf writes deliveries a second.
func paceOf(rate float64) string {
	switch {
	case rate <= 0:
		return none
	case rate < 10:
		return trimZero(strconv.FormatFloat(rate, 'f', 1, 64)) + "/s"
	}
	return count(int(math.Round(rate))) + "/s"
}

// doneShare is how much of a job is done, never rounded up to all of it.
func doneShare(p ReplayProgress) string {
	if p.Total == 0 {
		return none
	}
	return percent(p.Processed, p.Total)
}

// progressSegment is a part of the bar, from 0 to 1000.
type progressSegment struct {
	Name  string // of the API's field
	Class string
	X, W  string
}

// progressSegments are the parts of the bar of a job, in order; each is drawn
// even when it is empty, for the page's script to fill.
func progressSegments(p ReplayProgress) []progressSegment {
	parts := []struct {
		name, class string
		n           int
	}{
		{"succeeded", "c-good", p.Succeeded}, {"failed", "c-bad", p.Failed},
		{"skipped", "c-muted", p.Skipped + p.Discarded},
	}
	whole := float64(max(p.Total, p.Succeeded+p.Failed+p.Skipped+p.Discarded, 1))
	x := 0.0
	out := make([]progressSegment, len(parts))
	for i, part := range parts {
		w := float64(part.n) / whole * 1000
		if part.n > 0 {
			w = max(w, 3)
		}
		out[i] = progressSegment{part.name, part.class, decimal(x), decimal(min(w, 1000-x))}
		x = min(x+w, 1000)
	}
	return out
}

// progressTitle says for those who cannot see it what the bar shows.
func progressTitle(p ReplayProgress) string {
	return fmt.Sprintf("%s of %s done: %s delivered, %s failed, %s skipped", count(p.Processed), count(p.Total),
		count(p.Succeeded), count(p.Failed), count(p.Skipped))
}

// retryingNote says of how many deliveries an attempt failed and another
// follows.
func retryingNote(n int) string {
	if n == 0 {
		return ""
	}
	return count(n) + " to be tried again"
}

// replaySentence says where a job stands, empty if its numbers say it all.
func replaySentence(r *Replay) string {
	p := r.Progress
	switch r.Status {
	case relay.ReplayPlanning:
		if r.Starts {
			return "Counting what this selects. It starts by itself when everything is counted; you may leave this page."
		}
		return "Counting what this selects. Nothing is sent before you start it; you may leave this page."
	case relay.ReplayPlanned:
		return ""
	case relay.ReplayRunning:
		if r.Backfill {
			return "It takes each event half a minute after it came in, so that none is missed and none sent twice. The newest ones take that long."
		}
	case relay.ReplayPaused:
		return or(line(r.Reason), "Paused.") + " " + verb(p.Remaining(), "One delivery remains.", count(p.Remaining())+" deliveries remain.")
	case relay.ReplayFailed:
		return or(line(r.Reason), "The job could not go on.")
	case relay.ReplayCancelled:
		return or(line(r.Reason), "Cancelled.") + fmt.Sprintf(" %s of %s were sent before.", count(p.Succeeded+p.Failed), count(p.Total))
	case relay.ReplayCompleted:
		if p.Failed > 0 {
			return plural(p.Failed, "delivery") + " failed. They are dead letters now, grouped by cause below."
		}
		return ""
	}
	return ""
}

// hourChart draws when the events of a plan came in.
func hourChart(p ReplayPlan) chart {
	c := chart{
		ID: "by-hour", Title: "Received", Buckets: p.ByHour, Format: count,
		Summary: plural(p.Events, "event"),
		Series:  []series{{"events", "c-accent", func(t Totals) int { return t.Events }}},
	}
	if len(p.ByHour) > 0 && p.ByHour[0].Width >= 24*time.Hour {
		c.Title = "Received, by day"
	} else if len(p.ByHour) > 0 && p.ByHour[0].Width >= time.Hour {
		c.Title = "Received, by hour"
	}
	return c
}

func hourRange(p ReplayPlan) (from, to time.Time) {
	if len(p.ByHour) == 0 {
		return p.Oldest, p.Newest
	}
	last := p.ByHour[len(p.ByHour)-1]
	return p.ByHour[0].At, last.At.Add(last.Width)
}

// talliesShown is how many rows a breakdown of a plan shows at first.
const talliesShown = 8

// share is a part of 100 for a small bar, at least 1 if there is any.
func share(part, of int) string {
	if part <= 0 || of <= 0 {
		return "0"
	}
	return decimal(max(float64(part)/float64(of)*100, 1))
}

func sumTallies(t []Tally) int {
	n := 0
	for _, x := range t {
		n += x.Count
	}
	return n
}

// startWords are on the button that starts a plan, and what it asks first.
func startWords(r *Replay) string { return "Send " + plural(r.Plan.Deliveries, "delivery") }

func startDetail(r *Replay) string {
	words := []string{"Oldest first, at most " + paceOf(float64(r.RateLimit)) + "; live deliveries go first."}
	switch {
	case r.Canary > 0 && r.Canary < r.Plan.Deliveries:
		words = append(words, "It sends "+count(r.Canary)+", then waits for you.")
	default:
		words = append(words, "You can pause, slow or cancel it at any time.")
	}
	if again := r.Plan.Delivered; again > 0 && !r.SkipDelivered {
		words = append(words, plural(again, "delivery")+" were delivered there before and are sent again.")
	}
	return strings.Join(words, " ")
}

// ReplayOfDeliveries is the value of ReplayForm.Of for deliveries, which go to
// the endpoint that they went to before.
const ReplayOfDeliveries = "deliveries"

// ReplayDead is the value of ReplayForm.DeliveryStatus for dead letters that
// were not replayed since.
const ReplayDead = "failed"

var replayDeliveryOptions = []Option{
	{ReplayDead, "dead letters, without those replayed since"}, {string(relay.DeliveryDLQ), "all dead letters"},
	{string(relay.DeliveryDiscarded), "discarded"}, {string(relay.DeliveryDelivered), "delivered"}, {"", "any"},
}

// replayStatusOptions are the states of an event that can be replayed.
var replayStatusOptions = []Option{
	{string(relay.EventFailed), "failed"}, {string(relay.EventUnmatched), "unmatched"},
	{string(relay.EventDelivered), "delivered"}, {string(relay.EventForwarding), "forwarding"},
}

func anyOption(word string, options []Option) []Option {
	return append([]Option{{"", word}}, options...)
}

// momentValue is a time as a datetime-local field with seconds wants it.
func momentValue(s string) string {
	t, ok := readTime(s)
	if !ok {
		return ""
	}
	return t.Format("2006-01-02T15:04:05")
}

// jobDeliveries lists the deliveries of a job in one state; empty: all.
func jobDeliveries(r *Replay, status string) string {
	return listURL("/deliveries", values("replay_id", relay.PrefixReplay.Format(r.ID), "status", status))
}

// pollTrigger is how often a page asks when no stream tells it.
func pollTrigger(r *Replay) string {
	if r.Status == relay.ReplayRunning {
		return "every 2s, refresh"
	}
	return "every 5s, refresh"
}

func leftWord(left time.Duration) string {
	if left <= 0 {
		return "…"
	}
	return "about " + span(left.Round(time.Second)) + " left"
}

func took(r *Replay) string {
	if r.StartedAt.IsZero() || r.FinishedAt.IsZero() {
		return none
	}
	return span(max(r.FinishedAt.Sub(r.StartedAt), time.Millisecond))
}

func failedTone(p ReplayProgress) string {
	if p.Failed > 0 {
		return string(ToneBad)
	}
	return string(ToneNeutral)
}

func skippedNote(r *Replay) string {
	switch {
	case r.Progress.Discarded > 0:
		return count(r.Progress.Discarded) + " discarded"
	case r.SkipDelivered:
		return "delivered there already"
	}
	return "nothing is skipped"
}

func planLine(p ReplayPlan) string {
	return plural(p.Events, "event") + ", " + plural(p.Deliveries, "delivery")
}

func capNote(r *Replay) string {
	if r.Plan.TooMany > 0 {
		return "the oldest, " + count(r.Plan.TooMany) + " beyond"
	}
	return "that an endpoint gets"
}

func deliveredNote(r *Replay) string {
	switch {
	case r.SkipDelivered:
		return "skipped"
	case r.Plan.Delivered > 0:
		return "sent a second time"
	}
	return "nothing is sent twice"
}

func leftOutNote(p ReplayPlan) string {
	if len(p.LeftOut) == 0 {
		return "all can be sent"
	}
	return "for the reasons below"
}

// headTallies are the rows of a breakdown that are shown one by one.
func headTallies(rows []Tally) []Tally {
	if len(rows) <= talliesShown+1 {
		return rows
	}
	return rows[:talliesShown]
}

func mostOf(rows []ReplayDestination) int {
	most := 0
	for _, d := range rows {
		most = max(most, d.Count)
	}
	return most
}

func plainCount(n int) string { return strconv.Itoa(n) }
