package main

import (
	"cmp"
	"net/http"
	"strings"
	"testing"
)

// TestJourneyReplayOneEvent sends one event again: to all that match it now,
// then to an endpoint that is chosen. The pages tell who already has it, and
// what was made by whom.
func TestJourneyReplayOneEvent(t *testing.T) {
	t.Parallel()
	prog := newProgram(t)
	prog.start()
	wants, other := newSink(t), newSink(t)
	p := newPerson(t, prog.URL)
	p.setUp(prog)
	target := prog.source("shop")
	one := prog.endpoint(wants.URL, map[string]any{"name": "Orders", "event_filter": []string{"order.*"}})
	two := prog.endpoint(other.URL, map[string]any{"name": "Archive", "event_filter": []string{"nothing"}})
	post(t, target, `{"type":"order.paid"}`, nil)
	prog.arrives(wants, 1)
	event, first := prog.list("/events")[0].ID, prog.list("/deliveries")[0].ID

	p.open("/events/" + event)
	p.press("Replay")
	p.sees("1 endpoint already has it and would get it again.")
	p.sees("Already delivered there: it would get it again.")
	p.picture("menu")
	p.press("Replay to 1 endpoint that matches now")
	p.sees("Replayed")
	prog.arrives(wants, 2)

	p.open("/events/" + event)
	p.press("Replay")
	p.choose(`input[name=endpoint_ids][value=` + two + `]`)
	p.press("Replay to the chosen")
	p.sees("Replayed")
	prog.arrives(other, 1)
	prog.arrives(wants, 2)

	made := prog.list("/deliveries?endpoint_id=" + one)[0].ID
	p.open("/deliveries/" + made)
	p.picture("lineage")
	p.sees("by ada@example.com")
	if n := eval[int](p, `document.querySelectorAll('.pairs a[href="/deliveries/`+first+`"]').length`); n != 1 {
		t.Errorf("%d links to what was replayed, want 1", n)
	}
	p.open("/deliveries/" + prog.list("/deliveries?endpoint_id=" + two)[0].ID)
	p.sees("by ada@example.com")

	var job answer[thing]
	if status := prog.call("POST", "/replays", map[string]any{"delivery_ids": []string{made}, "note": "once more"}, &job); status != http.StatusCreated && status != http.StatusAccepted {
		t.Fatalf("starting a job: %d", status)
	}
	prog.arrives(wants, 3)
	p.open("/deliveries/" + prog.list("/deliveries?replay_id=" + job.Data.ID)[0].ID)
	p.sees("once more")
	p.sees("planned by")
	for _, href := range []string{"/replays/" + job.Data.ID, "/deliveries/" + made, "/deliveries/" + first} {
		if n := eval[int](p, `document.querySelectorAll('main a[href="`+href+`"]').length`); n == 0 {
			t.Errorf("the lineage does not lead to %s", href)
		}
	}
}

// TestJourneyRetryAndDiscard tries one delivery again that waits for its
// retry, and gives up on another one.
func TestJourneyRetryAndDiscard(t *testing.T) {
	t.Parallel()
	prog := newProgram(t, "REPRISE_RETRY_SCALE=1")
	prog.start()
	sink := newSink(t)
	sink.answer = http.StatusInternalServerError
	p := newPerson(t, prog.URL)
	p.setUp(prog)
	target := prog.source("shop")
	prog.endpoint(sink.URL, map[string]any{"retry": map[string]any{"initial_delay": 3600, "max_delay": 3600}})
	post(t, target, `{"type":"wanted"}`, nil)
	post(t, target, `{"type":"unwanted"}`, nil)
	prog.eventually("both wait for their retry", func() bool { return len(prog.list("/deliveries?status=retrying")) == 2 })
	wanted, unwanted := prog.list("/deliveries?event_type=wanted")[0], prog.list("/deliveries?event_type=unwanted")[0]
	sink.mu.Lock()
	sink.answer = http.StatusOK
	sink.mu.Unlock()

	p.open("/deliveries/" + unwanted.ID)
	p.sees("retrying")
	p.press("Discard")
	p.fill(`details[open] input[name=reason]`, "the order was cancelled")
	p.picture("discard")
	p.press("Discard the delivery")
	p.sees("It was discarded and is not tried again.")
	p.sees("the order was cancelled")
	p.picture("discarded")
	if d := prog.list("/deliveries?event_type=unwanted")[0]; d.Status != "discarded" {
		t.Errorf("the delivery is %s", d.Status)
	}

	p.open("/deliveries/" + wanted.ID)
	p.sees("Next attempt")
	p.press("Retry now")
	p.sees("It is tried again right now.")
	prog.arrives(sink, 3)
	p.sees("delivered")
	if n, m := sink.seen(wanted.EventID), sink.seen(unwanted.EventID); n != 2 || m != 1 {
		t.Errorf("the retried event arrived %d times, want 2; the discarded one %d times, want 1", n, m)
	}
}

// TestJourneyBackfill makes an endpoint that is also sent what came in before
// it, while more comes in.
func TestJourneyBackfill(t *testing.T) {
	t.Parallel()
	prog, sink, p := newJourney(t)
	target := prog.source("shop")
	const before, after = 12, 8
	for range before {
		post(t, target, `{"type":"order.paid"}`, nil)
	}
	p.open("/endpoints/new")
	p.fill(`input[name=name]`, "Warehouse")
	p.fill(`input[name=url]`, sink.URL)
	p.fill(`input[name=backfill_days]`, "3")
	p.press("Create the endpoint")
	for range after {
		post(t, target, `{"type":"order.paid"}`, nil)
	}
	p.sees("Copy it now")
	p.picture("made")
	p.press("Watch the replay")
	p.sees("none is missed and none sent twice")
	prog.eventually("the backfill is done", func() bool {
		jobs := prog.list("/replays")
		return len(jobs) == 1 && jobs[0].Status == "completed"
	})
	prog.arrives(sink, before+after)
	for _, e := range prog.list("/events") {
		if n := sink.seen(e.ID); n != 1 {
			t.Errorf("%s arrived %d times", e.ID, n)
		}
	}
	p.open("/replays")
	p.sees("completed")
}

// TestJourneyTickedRows replays rows that were ticked in the lists of events
// and of deliveries, and no others.
func TestJourneyTickedRows(t *testing.T) {
	t.Parallel()
	prog, sink, p := newJourney(t)
	target := prog.source("shop")
	prog.endpoint(sink.URL, nil)
	for range 5 {
		post(t, target, `{"type":"order.paid"}`, nil)
	}
	prog.arrives(sink, 5)
	times := map[string]int{}
	for _, list := range []string{"/events", "/deliveries"} {
		for _, e := range prog.list("/events") {
			times[e.ID] = sink.seen(e.ID)
		}
		before := sink.total.Load()
		rows := prog.list(list)
		p.open(list)
		for _, row := range []int{1, 3} {
			p.choose(`main input[name=ids][value="` + rows[row].ID + `"]`)
			times[cmp.Or(rows[row].EventID, rows[row].ID)]++
		}
		p.sees("2 selected on this page")
		p.picture(strings.Trim(list, "/"))
		p.clickCSS(`.bulk button[value=replay]`)
		p.confirms()
		p.sees("Replayed 2")
		prog.arrives(sink, before+2)
		for event, want := range times {
			if n := sink.seen(event); n != want {
				t.Errorf("%s: %s arrived %d times, want %d", list, event, n, want)
			}
		}
	}
}
