package views

import (
	"fmt"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// attemptMark is one attempt on the time line of a delivery.
type attemptMark struct {
	X     int // of 1000
	Class string
	Title string
	At    time.Time
}

func attemptMarks(m DeliveryModel) []attemptMark {
	var marks []attemptMark
	for _, a := range m.Attempts {
		marks = append(marks, attemptMark{
			Class: "l-" + string(outcomeLook(a.Outcome).Tone),
			Title: fmt.Sprintf("#%d %s, %s", a.Number, attemptTitle(a), minute(a.StartedAt)),
			At:    a.StartedAt,
		})
	}
	if d := m.Delivery; !d.Status.Final() && !d.NextAttemptAt.IsZero() {
		marks = append(marks, attemptMark{Class: "l-muted", Title: "next, " + minute(d.NextAttemptAt), At: d.NextAttemptAt})
	}
	if len(marks) < 2 {
		return nil
	}
	first := marks[0].At
	whole := marks[len(marks)-1].At.Sub(first)
	for i := range marks {
		if whole > 0 {
			marks[i].X = 4 + int(992*marks[i].At.Sub(first)/whole)
		}
	}
	return marks
}

func attemptLineTitle(m DeliveryModel) string {
	return fmt.Sprintf("%s from %s to %s", plural(len(m.Attempts), "attempt"),
		minute(m.Attempts[0].StartedAt), minute(m.Attempts[len(m.Attempts)-1].StartedAt))
}

func attemptTitle(a *relay.Attempt) string {
	if a.ResponseStatus > 0 {
		return httpStatus(a.ResponseStatus)
	}
	return outcomeLook(a.Outcome).Word
}

func attemptTone(a *relay.Attempt) Tone {
	if a.Outcome == relay.OutcomeInterrupted {
		return ToneWarn
	}
	return ToneBad
}

func gapBefore(attempts []*relay.Attempt, i int) string {
	if i == 0 {
		return ""
	}
	before := attempts[i-1]
	gap := attempts[i].StartedAt.Sub(before.StartedAt.Add(before.Duration))
	if gap < time.Second {
		return ""
	}
	return "after " + span(gap)
}

func attemptsSummary(m DeliveryModel) string {
	if len(m.Attempts) == 0 {
		return ""
	}
	var sum time.Duration
	for _, a := range m.Attempts {
		sum += a.Duration
	}
	return plural(len(m.Attempts), "attempt") + ", " + span(sum/time.Duration(len(m.Attempts))) + " on average"
}

func attemptsFact(m DeliveryModel) string {
	if all := len(m.Attempts); all > m.Delivery.Attempts {
		return fmt.Sprintf("%d in this cycle, %d in all", m.Delivery.Attempts, all)
	}
	return count(m.Delivery.Attempts)
}

func lineageOf(m DeliveryModel) []*relay.Delivery {
	if len(m.Lineage) == 0 {
		return []*relay.Delivery{m.Delivery}
	}
	return m.Lineage
}

// deliverySentence says in words where a delivery stands.
func deliverySentence(m DeliveryModel) string {
	d := m.Delivery
	switch {
	case d.Status == relay.DeliveryDelivered:
		return ""
	case d.InFlight:
		return "An attempt is being made now."
	case d.Status == relay.DeliveryDLQ && !d.ReplayedBy.IsZero():
		return "All attempts failed. It was replayed since: see the newer delivery."
	case d.Status == relay.DeliveryDLQ:
		return "All attempts failed. Last error: " + or(line(d.LastError), "unknown.") + " Fix the endpoint, then replay."
	case d.Status == relay.DeliveryDiscarded:
		return "It was discarded and is not tried again."
	case m.Endpoint.Status == relay.EndpointPaused:
		return "The endpoint is paused. The delivery goes out when it is resumed."
	case m.Endpoint.Status == relay.EndpointDisabled:
		return "The endpoint is disabled. The delivery waits until it is enabled."
	case d.Status == relay.DeliveryRetrying:
		return or(line(d.LastError), "The last attempt failed.")
	}
	return "It waits for its first attempt."
}

func stateTone(d *relay.Delivery) string {
	if d.Status == relay.DeliveryDLQ && !d.ReplayedBy.IsZero() {
		return string(ToneNeutral)
	}
	return string(deliveryLook(d).Tone)
}
