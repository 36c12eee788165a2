package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// confirms says yes to the question that is asked.
func (p *person) confirms() {
	p.t.Helper()
	p.clickCSS("#confirm-yes")
}

// TestJourneyRecovery is the night after an outage: plan what to send, see
// what it will do, start it, pause it, slow it down, resume it, see it done.
func TestJourneyRecovery(t *testing.T) {
	t.Parallel()
	prog, sink, p := newJourney(t)
	target := prog.source("shop")
	prog.endpoint(sink.URL, nil)
	const events = 120
	for i := range events {
		post(t, target, fmt.Sprintf(`{"type":"order.paid","n":%d}`, i), nil)
	}
	prog.eventually("all are delivered", func() bool { return len(prog.list("/deliveries?status=delivered")) == events })

	p.open("/replays/new")
	p.picture("form")
	if on := eval[bool](p, `document.querySelector('input[type=checkbox][name=skip_delivered]').checked`); !on {
		t.Error("skipping what was delivered is not on in the recovery form")
	}
	p.choose(`input[type=checkbox][name=skip_delivered]`)
	p.fill(`input[name=rate_limit]`, "10")
	p.fill(`input[name=note]`, "the handler was broken for three hours")
	p.clickCSS(`main form button.primary`)
	p.sees("A plan: nothing was sent yet")
	p.sees("Already delivered there")
	p.picture("plan")
	if n := sink.total.Load(); n != events {
		t.Fatalf("planning sent %d requests", n-events)
	}
	p.press("Send 120 deliveries")
	p.confirms()
	p.sees("Pause")
	prog.eventually("it is sending", func() bool { return sink.total.Load() > events })
	p.press("Pause")
	p.sees("Resume")
	p.picture("paused")
	job := strings.TrimPrefix(p.where(), prog.URL+"/replays/")
	if status := prog.job(job).Status; status != "paused" {
		t.Errorf("the job is %s", status)
	}
	p.fill(`input[name=rate_limit]`, "500")
	p.press("Set")
	prog.eventually("the rate is set", func() bool { return prog.job(job).Rate == 500 })
	p.sees("at most 500/s")
	p.press("Resume")
	prog.eventually("it completes", func() bool { return prog.job(job).Status == "completed" })
	p.sees("completed")
	p.sees("100 %")
	p.picture("done")
	if n := sink.total.Load(); n != 2*events {
		t.Errorf("%d requests arrived, want %d", n, 2*events)
	}
	p.open("/replays")
	p.sees("completed")
	p.open("/deliveries?replay_id=" + job)
	p.clickCSS(`main a[href^="/deliveries/wdl_"]`)
	p.do(chromedp.WaitVisible(chromedp.CSS(`a[href="/replays/` + job + `"]`)))
}

// TestJourneyDeadLettersByCause replays one group of dead letters with one
// button, and discards the other with a reason.
func TestJourneyDeadLettersByCause(t *testing.T) {
	t.Parallel()
	prog := newProgram(t)
	prog.start()
	first, second := newSink(t), newSink(t)
	first.answer, second.answer = http.StatusInternalServerError, http.StatusNotFound
	p := newPerson(t, prog.URL)
	p.setUp(prog)
	target := prog.source("groups")
	never := map[string]any{"retry": map[string]any{"max_retries": 0}}
	one := prog.endpoint(first.URL, never)
	two := prog.endpoint(second.URL, never)
	for i := range 6 {
		post(t, target, fmt.Sprintf(`{"type":"a","n":%d}`, i), nil)
	}
	prog.eventually("all are dead letters", func() bool { return len(prog.list("/deliveries?status=dlq")) == 12 })
	first.mu.Lock()
	first.answer = http.StatusOK
	first.mu.Unlock()
	p.open("/dead-letters")
	p.sees("By cause")
	p.picture("groups")
	p.clickCSS(`form[action="/dead-letters/replay"]:has(input[value="` + one + `"]) button`)
	p.confirms()
	badge := func() string { return eval[string](p, `document.querySelector("#dead-tally")?.textContent ?? ""`) }
	if !p.poll(func() bool { return strings.HasPrefix(p.where(), prog.URL+"/replays/") && badge() == "6" }) {
		t.Errorf("the page of the job that delivers six of twelve dead letters says %q", badge())
	}
	prog.eventually("the group is delivered", func() bool { return len(prog.list("/deliveries?status=delivered&endpoint_id="+one)) == 6 })
	if n := first.total.Load(); n != 12 {
		t.Errorf("%d requests arrived, want 12", n)
	}
	p.open("/dead-letters")
	p.clickCSS(`.cause-acts summary`)
	p.do(chromedp.SendKeys(chromedp.CSS(`form[action="/dead-letters/discard"] input[name=reason]`), "the shop is gone"))
	p.clickCSS(`form[action="/dead-letters/discard"] button`)
	prog.eventually("the other group is discarded", func() bool { return len(prog.list("/deliveries?status=discarded&endpoint_id="+two)) == 6 })
	p.open("/dead-letters")
	p.sees("Nothing waits for you")
	p.open("/audit-log")
	p.sees("discarded")
}

// TestJourneyEverythingThatMatches goes from a filtered list to a plan of all
// that the filter selects, not only of the rows in sight.
func TestJourneyEverythingThatMatches(t *testing.T) {
	t.Parallel()
	prog, sink, p := newJourney(t)
	target := prog.source("many")
	prog.endpoint(sink.URL, nil)
	for i := range 70 {
		post(t, target, fmt.Sprintf(`{"type":"%s","n":%d}`, []string{"wanted", "other"}[i%7/6], i), nil)
	}
	prog.eventually("all are delivered", func() bool { return len(prog.list("/deliveries?status=delivered")) == 70 })
	p.open("/events?event_type=wanted")
	p.sees("60 events")
	p.clickCSS(`main a[href^="/replays/new?"]`)
	p.choose(`input[type=checkbox][name=skip_delivered]`)
	p.clickCSS(`main form button.primary`)
	p.sees("Send 60 deliveries")
	p.press("Send 60 deliveries")
	p.confirms()
	prog.eventually("sixty arrived again", func() bool { return sink.total.Load() == 130 })
	job := strings.TrimPrefix(p.where(), prog.URL+"/replays/")
	prog.eventually("it completes", func() bool { return prog.job(job).Status == "completed" })
	if n := sink.total.Load(); n != 130 {
		t.Errorf("%d requests arrived, want 130", n)
	}
}
