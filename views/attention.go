package views

import "fmt"

var ranges = []Option{{"1h", "The last hour"}, {"24h", "The last 24 hours"}, {"7d", "The last 7 days"}, {"30d", "The last 30 days"}}

func rangeOr(r string) string {
	for _, o := range ranges {
		if o.Value == r {
			return r
		}
	}
	return "24h"
}

// trend compares a count with that of the equally long time before.
func trend(now, before int, rng string) string {
	r := map[string]string{"1h": "hour", "24h": "day", "7d": "7 days", "30d": "30 days"}[rangeOr(rng)]
	switch {
	case before == 0:
		return "none in the " + r + " before"
	case now == before:
		return "as in the " + r + " before"
	}
	change := float64(now-before) / float64(before) * 100
	if change > 999 {
		return fmt.Sprintf("%s in the %s before", count(before), r)
	}
	return fmt.Sprintf("%+.0f %% on the %s before", change, r)
}

func attentionLook(a Attention) look {
	switch a.Kind {
	case AttentionFailing:
		return look{"circle-x", "failing", ToneBad}
	case AttentionDeadLetters:
		return look{"dead-letters", "dead letters", ToneBad}
	case AttentionPaused, AttentionReplay:
		return look{"pause", "paused", ToneWarn}
	}
	return look{"shield-x", "rejected", ToneBad}
}

func attentionSentence(a Attention) string {
	switch a.Kind {
	case AttentionFailing:
		return fmt.Sprintf("fails: %s of %s did not succeed", count(a.Count), plural(a.Of, "attempt"))
	case AttentionDeadLetters:
		return "has " + plural(a.Count, "dead letter")
	case AttentionReplay:
		return "is paused, " + plural(a.Count, "delivery") + " " + verb(a.Count, "remains", "remain")
	case AttentionPaused:
		if a.Count == 0 {
			return "is paused"
		}
		return "is paused, " + plural(a.Count, "delivery") + " " + verb(a.Count, "waits", "wait")
	}
	return "rejected " + plural(a.Count, "request") + ": the signature was not valid"
}

func attentionURL(a Attention) string {
	switch a.Kind {
	case AttentionDeadLetters:
		return groupURL(a.ID)
	case AttentionRejected:
		return listURL("/events", values("source_id", sourceID(a.ID), "status", "rejected"))
	case AttentionReplay:
		return replayURL(a.ID)
	}
	return endpointURL(a.ID)
}

func attentionAction(a Attention) string {
	switch a.Kind {
	case AttentionDeadLetters:
		return "Review and replay"
	case AttentionRejected:
		return "See the events"
	case AttentionReplay:
		return "Resume or cancel"
	case AttentionPaused:
		return "Resume"
	}
	return "Open"
}
