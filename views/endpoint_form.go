package views

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

var authTypes = []Option{
	{relay.AuthNone, "None"}, {relay.AuthAPIKey, "API key"},
	{relay.AuthBasic, "Basic auth"}, {relay.AuthBearer, "Bearer"},
}

var expiries = []Option{{"0", "at once"}, {"3600", "in an hour"}, {"86400", "in a day"}, {"604800", "in a week"}}

func has(list []string, s string) bool { return slices.Contains(list, s) }

// sums turns waits into times after the first attempt.
func sums(waits []time.Duration) []time.Duration {
	var at time.Duration
	times := make([]time.Duration, len(waits))
	for i, w := range waits {
		at += w
		times[i] = at.Truncate(time.Second)
	}
	return times
}

// credential is a field for a secret: never filled with the stored one.
func credential(f EndpointForm, label, name, value string) entry {
	e := entry{Label: label, Name: name, Value: value, Type: "password", Auto: "new-password", Code: true, Errors: f.Errors}
	if f.AuthSet {
		e.Placeholder, e.Hint = "••••••••", "One is stored. Leave this empty to keep it."
	}
	return e
}

func endpointFormURL(f EndpointForm) string {
	if f.ID.IsZero() {
		return "/endpoints"
	}
	return endpointURL(f.ID)
}

// failing is the line from which a success rate is drawn as bad.
func failing(t Totals) bool { return t.Attempts >= 5 && t.Failures*10 > t.Attempts }

// endpointRowLook tells an active endpoint that fails from one that is well.
func endpointRowLook(r EndpointRow) look {
	if r.Endpoint.Status == relay.EndpointActive && failing(r.Totals) {
		return look{"circle-x", "failing", ToneBad}
	}
	return endpointLook(r.Endpoint.Status)
}

func firstType(types []string) string {
	if len(types) == 0 {
		return "test.ping"
	}
	return types[0]
}

func subscribedTo(m EndpointModel) string {
	if len(m.Row.Endpoint.SourceIDs) == 0 {
		return "every source"
	}
	var names []string
	for _, id := range m.Row.Endpoint.SourceIDs {
		for _, s := range m.Sources {
			if s.ID == id {
				names = append(names, s.Name)
			}
		}
	}
	return or(strings.Join(names, ", "), "sources that were deleted")
}

func filterWord(filter []string) string {
	if len(filter) == 0 {
		return "all types"
	}
	return strings.Join(filter, ", ")
}

func retryWord(p relay.RetryPolicy) string {
	if p.MaxRetries == 0 {
		return "none: one attempt"
	}
	all := sums(p.Schedule())
	return fmt.Sprintf("%d, over %s", p.MaxRetries, span(all[len(all)-1]))
}

func paceWord(e *relay.Endpoint) string {
	var words []string
	if e.RateLimit > 0 {
		words = append(words, fmt.Sprintf("%s in %s", plural(e.RateLimit, "delivery"), span(e.RateLimitDuration)))
	}
	if e.MaxInFlight > 0 {
		words = append(words, fmt.Sprintf("%d at the same time", e.MaxInFlight))
	}
	return or(strings.Join(words, ", "), "no limit")
}

func createEndpointCurl(publicURL string) string {
	return "curl " + shellQuote(publicURL+"/api/v1/endpoints") + " \\\n  -H 'Authorization: Bearer rp_…' \\\n  -H 'Content-Type: application/json' \\\n" +
		`  -d '{"name":"Billing","url":"https://billing.example.com/webhooks","event_filter":["invoice.*"]}'`
}
