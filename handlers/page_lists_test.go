package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

func TestEventListPagesAndFilters(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i := range rowsShown + 5 {
		s.receive("shop", "", fmt.Sprintf(`{"type":"order.n%02d","who":"needle %d"}`, i, i))
	}
	b := s.loggedIn()
	first := b.get("/events").wants(http.StatusOK).says("order.n54", "55").hides("order.n04")
	next := ""
	for _, a := range first.elements("a") {
		if strings.HasPrefix(attr(a, "href"), "/events?cursor=") {
			next = attr(a, "href")
		}
	}
	if next == "" {
		t.Fatal("no link to the next page")
	}
	b.get(next).wants(http.StatusOK).says("order.n04", "order.n00").hides("order.n05")
	b.get("/events?status=failed&" + strings.TrimPrefix(next, "/events?")).wants(http.StatusUnprocessableEntity)
	b.get("/events?cursor=x&event_type=&source_id=").wants(http.StatusUnprocessableEntity)

	b.get("/events?q=needle+7").wants(http.StatusOK).says("order.n07").hides("order.n08")
	b.get("/events?event_type=order.n03&utm_source=mail").wants(http.StatusOK).says("order.n03").hides("order.n02")
	tomorrow := s.store.Now().Add(24 * time.Hour).Format("2006-01-02T15:04")
	b.get("/events?from=" + tomorrow).wants(http.StatusOK).hides("order.n")
	b.get("/events?to=" + tomorrow + "&source_id=" + relay.PrefixSource.Format(s.source.ID)).wants(http.StatusOK).says("order.n54")
	for _, bad := range []string{"source_id=x", "status=x", "signature_valid=x", "from=x", "to=x"} {
		b.get("/events?" + bad).wants(http.StatusUnprocessableEntity).hides("order.n54")
	}
	for _, bad := range []string{"endpoint_id=x", "status=x", "event_id=x", "from=x", "replay_id=x"} {
		b.get("/deliveries?" + bad).wants(http.StatusUnprocessableEntity)
	}
	b.get("/audit-log?from=x").wants(http.StatusUnprocessableEntity)
	b.get("/audit-log?action=session.started").wants(http.StatusOK).says(s.user.Email)

	newest, oldest := s.events()[0], s.events()[54]
	b.header.Set("HX-Request", "true")
	bar := b.get("/events?since=" + relay.PrefixEvent.Format(oldest.ID)).wants(http.StatusOK).says("54")
	if strings.Contains(bar.body, "<html") {
		t.Error("the whole page was sent")
	}
	b.get("/events?since=" + relay.PrefixEvent.Format(newest.ID)).wants(http.StatusOK).hides("54 new")
	b.get("/deliveries?since=" + relay.PrefixDelivery.Format(s.deliveries()[54].ID)).wants(http.StatusOK).says("54")
}

func TestFlashSurvivesPolls(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.loggedIn()
	b.post(endpointPath(s.endpoint.ID)+"/pause", nil).wants(http.StatusSeeOther)
	b.header.Set("HX-Request", "true")
	b.get("/?range=1h").wants(http.StatusOK).hides("Its deliveries wait")
	b.header.Del("HX-Request")
	b.get("/").wants(http.StatusOK).says("Its deliveries wait")
	b.get("/").wants(http.StatusOK).hides("Its deliveries wait")
}

func TestOverviewTellsWhatNeedsAPerson(t *testing.T) {
	t.Parallel()
	s := emptySite(t)
	b := s.browser()
	b.post("/setup", url.Values{"token": {s.token}, "email": {"mara@acme.example"}, "password": {testPassword}, "project_name": {"Acme"}})
	b.get("/").wants(http.StatusOK).says("source")

	s = newSite(t)
	b = s.loggedIn()
	b.get("/").wants(http.StatusOK).says("curl", "/in/shop")
	s.receive("shop", "", `{"type":"order.paid"}`)
	s.attempt(s.endpoint, relay.DeliveryDLQ, 500, "out of order")
	s.receive("shop", "", `{"type":"order.paid"}`)
	b.get("/").wants(http.StatusOK).says("The endpoint answered out of order").hides("Redis does not answer")
	b.post(endpointPath(s.endpoint.ID)+"/pause", nil).follow()
	s.queue.mu.Lock()
	s.queue.down = errors.New("connection refused")
	s.queue.mu.Unlock()
	b.get("/").wants(http.StatusOK).says("Redis does not answer")
	b.get("/settings").wants(http.StatusOK).says("does not answer")
}

func TestRawEventIsADownload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	body := "\x00\xff<script>alert(1)</script>"
	s.receive("shop", "", body, "Content-Type", "text/html")
	p := s.loggedIn().get(eventPath(s.events()[0].ID) + "/raw").wants(http.StatusOK)
	if p.body != body {
		t.Errorf("the body is %q", p.body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff", "Content-Disposition": "attachment;",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
	} {
		if got := p.Header.Get(name); !strings.HasPrefix(got, want) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 29, 12, 34, 56, 0, time.UTC)
	for name, steps := range map[string]int{"1h": 60, "24h": 48, "7d": 56, "30d": 60, "": 48, "9y": 48} {
		w := windowFor(name, now)
		q := w.query(relay.ID{}, relay.ID{})
		if got := int(q.To.Sub(q.From)/q.Step) + 1; got != steps {
			t.Errorf("%q has %d steps, want %d", name, got, steps)
		}
		if w.before().To.Add(time.Minute) != w.From {
			t.Errorf("%q: a gap between %v and %v", name, w.before().To, w.From)
		}
	}
}

func TestFormsAreReadFromUrlencodedBodiesOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.loggedIn()
	b.header.Set("Content-Type", "application/json")
	b.post("/api-keys", url.Values{"name": {"CI"}, "scope": {"write"}}).wants(http.StatusBadRequest)
	b.header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	b.post("/api-keys", url.Values{"name": {"CI"}, "scope": {"write"}}).wants(http.StatusSeeOther)
}

func TestFormErrorsOfHeadersStandAtTheField(t *testing.T) {
	t.Parallel()
	err := relay.Invalid(relay.FieldError{Field: "headers.Host", Message: "must not be set"}, relay.FieldError{Field: "retry.factor", Message: "no"})
	got := formErrors(err)
	want := map[string]string{"headers": "Host must not be set", "headers_Host": "must not be set", "retry_factor": "no"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
