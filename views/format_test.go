package views

import (
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

func TestFormats(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	cases := []struct{ name, got, want string }{
		{"now", ago(now, now), "just now"},
		{"seconds", ago(now, now.Add(-12*time.Second)), "12 s ago"},
		{"now, by another clock", ago(now, now.Add(300*time.Millisecond)), "now"},
		{"future", ago(now, now.Add(90*time.Second)), "in 1 min"},
		{"hours", ago(now, now.Add(-3*time.Hour)), "3 h ago"},
		{"date", ago(now, now.Add(-40*24*time.Hour)), "14 Oct"},
		{"last year", ago(now, now.Add(-400*24*time.Hour)), "19 Oct 2025"},
		{"no time", ago(now, time.Time{}), "–"},
		{"ms", span(23 * time.Millisecond), "23 ms"},
		{"seconds with a fraction", span(1400 * time.Millisecond), "1.4 s"},
		{"minutes", span(125 * time.Second), "2 min 5 s"},
		{"whole hours", span(3 * time.Hour), "3 h"},
		{"bytes", size(812), "812 B"},
		{"kilobytes", size(3100), "3.1 kB"},
		{"megabytes", size(2_000_000), "2 MB"},
		{"thousands", count(1234567), "1,234,567"},
		{"capped", countCapped(10000, true), "10,000+"},
		{"ies", plural(2, "delivery"), "2 deliveries"},
		{"days", plural(30, "day"), "30 days"},
		{"one", plural(1, "delivery"), "1 delivery"},
		{"one failure in many", percent(999_999, 1_000_000), "99.9 %"},
		{"one success in many", percent(1, 1_000_000), "0.1 %"},
		{"none of none", percent(0, 0), "–"},
		{"short id", shortID("evt_0198c3b2-7d1e-7c2a-9f00-1234567890ab"), "evt_0198…7890ab"},
		{"direction marks", visible("a\u202eb\x00"), "a\uFFFDb␀"},
		{"status", httpStatus(503), "503 Service Unavailable"},
	}
	for _, c := range cases {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
}

func TestFormErrorsUseFormNames(t *testing.T) {
	t.Parallel()
	fields := map[string]string{
		"name": "name", "verifier.type": "verifier_type", "verifier.hmac.secret": "hmac_secret",
		"verifier.secret": "secret", "verifier.api_key.header_name": "api_key_header_name",
		"authentication.type": "authentication_type", "authentication.bearer.token": "bearer_token",
		"authentication.basic_auth.username": "basic_auth_username",
		"retry.max_retries":                  "retry_max_retries", "source_ids[2]": "source_ids",
		"custom_response.status": "custom_response_status",
	}
	for api, form := range fields {
		if got := FormErrors(relay.Invalid(relay.FieldError{Field: api, Message: "x"})); got[form] != "x" {
			t.Errorf("%s: got %v, want the name %s", api, got, form)
		}
	}
}

func TestPagerKeepsTheWayBack(t *testing.T) {
	t.Parallel()
	filter := values("status", "failed")
	third := Pager{Cursor: "c2", Trail: "c1", Next: "c3"}
	if got, want := third.nextURL("/events", filter), "/events?cursor=c3&status=failed&trail=c1%2Cc2"; got != want {
		t.Errorf("next: got %s, want %s", got, want)
	}
	if got, want := third.prevURL("/events", filter), "/events?cursor=c1&status=failed"; got != want {
		t.Errorf("prev: got %s, want %s", got, want)
	}
	if got, want := (Pager{Cursor: "c1"}).prevURL("/events", filter), "/events?status=failed"; got != want {
		t.Errorf("prev of the second page: got %s, want %s", got, want)
	}
	if got := (Pager{Next: "c1"}).prevURL("/events", filter); got != "" {
		t.Errorf("prev of the first page: got %s", got)
	}
}

// TestACutTrailLeadsNoFurther: it led from the middle of a long list to its begin.
func TestACutTrailLeadsNoFurther(t *testing.T) {
	t.Parallel()
	query := func(address string) url.Values {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return u.Query()
	}
	p := Pager{Next: "c1"}
	for i := range maxTrail + 5 {
		q := query(p.nextURL("/events", nil))
		p = Pager{Cursor: q.Get("cursor"), Trail: q.Get("trail"), Next: "c" + strconv.Itoa(i+2)}
	}
	for i := maxTrail + 4; ; i-- {
		address := p.prevURL("/events", nil)
		if address == "" {
			if i != 5 {
				t.Errorf("the way back ends at %s", p.Cursor)
			}
			return
		}
		q := query(address)
		if p = (Pager{Cursor: q.Get("cursor"), Trail: q.Get("trail")}); p.Cursor != "c"+strconv.Itoa(i) {
			t.Fatalf("the page before c%d is %q", i+1, p.Cursor)
		}
	}
}
