package relay

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Result is what came of one attempt.
type Result struct {
	Outcome    Outcome
	Status     int    // 0: no answer
	RetryAfter string // the header as it came
	Err        string // a sentence for people; empty on success
}

// Decision is what an attempt's result means for its delivery and endpoint.
type Decision struct {
	Status        DeliveryStatus
	Next          time.Time // of the next attempt; zero if Status is final
	PauseEndpoint bool
}

// DefaultRetryPolicy spreads six attempts over about eleven minutes.
func DefaultRetryPolicy() RetryPolicy {
	return RetryPolicy{MaxRetries: 5, InitialDelay: 10 * time.Second, Factor: 2.5, MaxDelay: time.Hour}
}

// Classify sorts an answer by its status. What went wrong without an answer is
// known to the sender alone.
func Classify(status int) Outcome {
	switch {
	case status >= 200 && status <= 299:
		return OutcomeSuccess
	case status >= 300 && status <= 399:
		return OutcomeRedirect
	case status == 410:
		return OutcomeGone
	case status < 200:
		return OutcomeProtocol
	default:
		return OutcomeStatus
	}
}

// Decide says how a delivery goes on after its attempt number attempt (from 1
// in the present cycle). An interruption costs no retry; see Interrupt. Scale multiplies every delay; rnd in [0,1) spreads
// the delays by ten per cent either way.
func Decide(p RetryPolicy, attempt int, out Result, now time.Time, scale float64, rnd float64) Decision {
	if out.Outcome == OutcomeSuccess {
		return Decision{Status: DeliveryDelivered}
	}
	if out.Outcome == OutcomeInterrupted {
		return Decision{Status: Interrupt(attempt-1, 0).Status, Next: now}
	}
	d := Decision{PauseEndpoint: out.Outcome == OutcomeGone}
	if attempt > p.MaxRetries {
		d.Status = DeliveryDLQ
		return d
	}
	delay := clampDelay(float64(p.delay(attempt))*(0.9+0.2*rnd), p.MaxDelay)
	if out.Status == 429 || out.Status == 503 {
		if wish, ok := ParseRetryAfter(out.RetryAfter, now); ok && wish > 0 {
			delay = min(wish, p.MaxDelay)
		}
	}
	d.Status = DeliveryRetrying
	d.Next = now.Add(clampDelay(float64(delay)*scale, math.MaxInt64))
	return d
}

// Schedule is the delay before each retry, without jitter.
func (p RetryPolicy) Schedule() []time.Duration {
	delays := make([]time.Duration, max(p.MaxRetries, 0))
	for i := range delays {
		delays[i] = p.delay(i + 1)
	}
	return delays
}

// delay is what passes between attempt and the next one, without jitter.
func (p RetryPolicy) delay(attempt int) time.Duration {
	return clampDelay(float64(p.InitialDelay)*math.Pow(p.Factor, float64(attempt-1)), p.MaxDelay)
}

func clampDelay(d float64, most time.Duration) time.Duration {
	switch {
	case d >= float64(most):
		return max(most, 0)
	case d > 0:
		return time.Duration(d)
	default: // NaN too
		return 0
	}
}

// Longer than this, a Retry-After is taken for nonsense.
const maxRetryAfter = 365 * 24 * time.Hour

// The forms of a date in HTTP (RFC 9110, 5.6.7).
var httpDates = []string{"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC}

// ParseRetryAfter reads a Retry-After header: a number of seconds or a date.
// What is negative, past, absurdly far off or unreadable is not ok.
func ParseRetryAfter(h string, now time.Time) (time.Duration, bool) {
	h = strings.Trim(h, " \t")
	if h == "" || len(h) > 64 {
		return 0, false
	}
	if h[0] >= '0' && h[0] <= '9' {
		seconds, err := strconv.ParseUint(h, 10, 32)
		wait := time.Duration(seconds) * time.Second
		return wait, err == nil && wait <= maxRetryAfter
	}
	for _, layout := range httpDates {
		if at, err := time.Parse(layout, h); err == nil {
			wait := at.Sub(now)
			return wait, wait >= 0 && wait <= maxRetryAfter
		}
	}
	return 0, false
}
