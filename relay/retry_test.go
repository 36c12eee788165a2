package relay

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func TestSchedule(t *testing.T) {
	t.Parallel()
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	want := []time.Duration{ms(10_000), ms(25_000), ms(62_500), ms(156_250), ms(390_625)}
	if diff := cmp.Diff(want, DefaultRetryPolicy().Schedule()); diff != "" {
		t.Error(diff)
	}
	capped := RetryPolicy{MaxRetries: 30, InitialDelay: time.Second, Factor: 10, MaxDelay: time.Hour}
	for _, d := range capped.Schedule() {
		if d <= 0 || d > time.Hour {
			t.Errorf("a delay of %s", d)
		}
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	p := DefaultRetryPolicy()
	failed := func(status int, retryAfter string) Result {
		return Result{Outcome: Classify(status), Status: status, RetryAfter: retryAfter}
	}
	retrying := func(after time.Duration) Decision {
		return Decision{Status: DeliveryRetrying, Next: noon.Add(after)}
	}
	for name, c := range map[string]struct {
		attempt    int
		out        Result
		scale, rnd float64
		want       Decision
	}{
		"success":                 {1, failed(204, ""), 1, 0.5, Decision{Status: DeliveryDelivered}},
		"first failure":           {1, failed(500, ""), 1, 0.5, retrying(10 * time.Second)},
		"no answer":               {2, Result{Outcome: OutcomeTimeout}, 1, 0.5, retrying(25 * time.Second)},
		"least jitter":            {1, failed(500, ""), 1, 0, retrying(9 * time.Second)},
		"much jitter":             {1, failed(500, ""), 1, 0.75, retrying(10500 * time.Millisecond)},
		"scaled":                  {1, failed(500, ""), 0.001, 0.5, retrying(10 * time.Millisecond)},
		"fifth failure":           {5, failed(500, ""), 1, 0.5, retrying(390625 * time.Millisecond)},
		"sixth failure":           {6, failed(500, ""), 1, 0.5, Decision{Status: DeliveryDLQ}},
		"redirect":                {1, failed(302, ""), 1, 0.5, retrying(10 * time.Second)},
		"wait on 429":             {1, failed(429, "5"), 1, 0.9, retrying(5 * time.Second)},
		"wait on 503":             {1, failed(503, "90"), 1, 0.9, retrying(90 * time.Second)},
		"wait is scaled":          {1, failed(503, "90"), 0.01, 0.9, retrying(900 * time.Millisecond)},
		"wait is capped":          {1, failed(503, "86400"), 1, 0.9, retrying(time.Hour)},
		"wait of nothing":         {1, failed(503, "0"), 1, 0.5, retrying(10 * time.Second)},
		"negative wait":           {1, failed(503, "-1"), 1, 0.5, retrying(10 * time.Second)},
		"absurd wait":             {1, failed(503, "1000000000000"), 1, 0.5, retrying(10 * time.Second)},
		"wait on another status":  {1, failed(500, "90"), 1, 0.5, retrying(10 * time.Second)},
		"wait does not add tries": {6, failed(503, "90"), 1, 0.5, Decision{Status: DeliveryDLQ}},
		"gone":                    {1, failed(410, ""), 1, 0.5, Decision{DeliveryRetrying, noon.Add(10 * time.Second), true}},
		"gone at last":            {6, failed(410, ""), 1, 0.5, Decision{Status: DeliveryDLQ, PauseEndpoint: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, Decide(p, c.attempt, c.out, noon, c.scale, c.rnd)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecideStaysSaneUnderABadPolicy(t *testing.T) {
	t.Parallel()
	for _, p := range []RetryPolicy{
		{MaxRetries: 3, InitialDelay: -time.Hour, Factor: 2, MaxDelay: time.Hour},
		{MaxRetries: 3, InitialDelay: time.Second, Factor: math.NaN(), MaxDelay: time.Hour},
		{MaxRetries: 3, InitialDelay: math.MaxInt64, Factor: math.Inf(1), MaxDelay: math.MaxInt64},
		{MaxRetries: 3, InitialDelay: time.Second, Factor: 2, MaxDelay: -1},
	} {
		d := Decide(p, 2, Result{Outcome: OutcomeConnect}, noon, 1, 0.99)
		if d.Status != DeliveryRetrying || d.Next.Before(noon) {
			t.Errorf("%+v gives %+v", p, d)
		}
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]Outcome{
		0: OutcomeProtocol, 101: OutcomeProtocol, 200: OutcomeSuccess, 299: OutcomeSuccess, 301: OutcomeRedirect,
		304: OutcomeRedirect, 400: OutcomeStatus, 410: OutcomeGone, 429: OutcomeStatus, 503: OutcomeStatus, 999: OutcomeStatus,
	} {
		if got := Classify(status); got != want {
			t.Errorf("Classify(%d) is %s, want %s", status, got, want)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	for h, want := range map[string]time.Duration{
		"0": 0, "5": 5 * time.Second, " 120 ": 2 * time.Minute,
		"Fri, 01 May 2026 12:00:30 GMT":  30 * time.Second,
		"Friday, 01-May-26 12:00:30 GMT": 30 * time.Second,
		"Fri May  1 12:00:30 2026":       30 * time.Second,
		"":                               -1, "-1": -1, "+5": -1, "1.5": -1, "1e3": -1, "5s": -1, "soon": -1,
		"1000000000000": -1, "99999999999999999999999": -1, "4294967295": -1,
		"Fri, 01 May 2026 11:59:59 GMT": -1, "Fri, 01 May 2099 12:00:00 GMT": -1,
	} {
		got, ok := ParseRetryAfter(h, noon)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("ParseRetryAfter(%q) is %s, %v", h, got, ok)
		}
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, h := range []string{"5", "-1", "1e9", "Fri, 01 May 2026 12:00:30 GMT", "\x00"} {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, h string) {
		if wait, ok := ParseRetryAfter(h, noon); ok && (wait < 0 || wait > maxRetryAfter) {
			t.Errorf("a wait of %s", wait)
		}
	})
}
