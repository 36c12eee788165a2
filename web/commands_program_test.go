package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var (
	deliveryID = regexp.MustCompile(`wdl_[0-9a-f-]{36}`)
	jobID      = regexp.MustCompile(`rpl_[0-9a-f-]{36}`)
)

// arrives waits until so many requests have arrived at a sink, and no more.
func (p *program) arrives(s *sink, total int64) {
	p.t.Helper()
	p.eventually("all that was sent is settled", func() bool {
		return s.total.Load() >= total && len(p.list("/deliveries?status=pending"))+len(p.list("/deliveries?status=retrying")) == 0
	})
	if n := s.total.Load(); n != total {
		p.t.Errorf("%d requests arrived, want %d", n, total)
	}
}

// TestOneThingProgram replays, retries and discards one thing by the real
// commands through a real server.
func TestOneThingProgram(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	wants, other := newSink(t), newSink(t)
	target := p.source("orders")
	one := p.endpoint(wants.URL, map[string]any{"event_filter": []string{"order.*"}})
	two := p.endpoint(other.URL, map[string]any{"event_filter": []string{"nothing"}})
	post(t, target, `{"type":"order.paid"}`, nil)
	p.arrives(wants, 1)
	event := p.list("/events")[0].ID
	first := p.list("/deliveries")[0].ID

	if out := p.reprise(0, "events", "replay", event); !strings.Contains(out, one) || strings.Contains(out, two) {
		t.Errorf("replay of an event:\n%s", out)
	}
	p.arrives(wants, 2)
	if out := p.reprise(0, "events", "replay", event, "--endpoint", two); !strings.Contains(out, two) || strings.Contains(out, one) {
		t.Errorf("replay to a chosen endpoint:\n%s", out)
	}
	p.arrives(other, 1)
	if out := p.reprise(0, "deliveries", "replay", first); strings.Contains(out, first) || !strings.Contains(out, event) {
		t.Errorf("replay of a delivery:\n%s", out)
	}
	p.arrives(wants, 3)
	if out := p.reprise(0, "deliveries", "retry", first); !strings.Contains(out, first) {
		t.Errorf("retry of a delivery:\n%s", out)
	}
	p.arrives(wants, 4)

	p.call("POST", "/endpoints/"+one+"/pause", nil, nil)
	waiting := deliveryID.FindString(p.reprise(0, "deliveries", "replay", first))
	if out := p.reprise(0, "deliveries", "discard", waiting, "--reason", "it was a mistake"); !strings.Contains(out, "discarded: it was a mistake") {
		t.Errorf("discard:\n%s", out)
	}
	p.reprise(1, "deliveries", "discard", waiting)
	p.call("POST", "/endpoints/"+one+"/resume", nil, nil)
	p.arrives(wants, 4)

	p.call("DELETE", "/endpoints/"+one, nil, nil)
	p.reprise(1, "events", "replay", event)
	if said := p.log.String(); !strings.Contains(said, "no endpoint takes this event now") {
		t.Error("a replay to nowhere is not called that")
	}
}

// TestDeadLettersProgram replays one group of dead letters and discards the
// other, by the real commands through a real server.
func TestDeadLettersProgram(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	first, second := newSink(t), newSink(t)
	first.answer, second.answer = http.StatusInternalServerError, http.StatusNotFound
	target := p.source("groups")
	never := map[string]any{"retry": map[string]any{"max_retries": 0}}
	one, two := p.endpoint(first.URL, never), p.endpoint(second.URL, never)
	for range 3 {
		post(t, target, `{"type":"a"}`, nil)
	}
	p.eventually("all are dead letters", func() bool { return len(p.list("/deliveries?status=dlq")) == 6 })
	group := func(endpoint, cause string) string {
		found := regexp.MustCompile(`(?m)^3 +` + endpoint + ` +test +(` + cause + `\S*) `).FindStringSubmatch(p.reprise(0, "dead-letters"))
		if found == nil {
			t.Fatalf("%s is not listed for %s", cause, endpoint)
		}
		return found[1]
	}
	cause, other := group(one, "http_500"), group(two, "http_404")
	first.mu.Lock()
	first.answer = http.StatusOK
	first.mu.Unlock()

	these := []string{"--delivery-status", "dlq", "--newest-only", "--delivery-endpoint", one, "--cause", cause, "--brake", "0", "--rate", "100"}
	if out := p.reprise(0, append([]string{"replay", "plan"}, these...)...); !regexp.MustCompile(`Deliveries +3\n`).MatchString(out) || first.total.Load() != 3 {
		t.Errorf("plan:\n%s", out)
	}
	out := p.reprise(0, append([]string{"replay", "start"}, these...)...)
	p.arrives(first, 6)
	if out := p.reprise(0, append([]string{"replay", "plan"}, these...)...); !regexp.MustCompile(`Deliveries +0\n`).MatchString(out) {
		t.Errorf("what was replayed is planned again:\n%s", out)
	}
	p.reprise(0, "replay", "start", "--replay", jobID.FindString(out), "--rate", "100")
	p.arrives(first, 9)
	some := p.list("/deliveries?status=delivered")
	p.reprise(0, "replay", "start", "--delivery-id", some[0].ID, "--delivery-id", some[1].ID, "--rate", "100")
	p.arrives(first, 11)

	if out := p.reprise(0, "dead-letters", "discard", "--endpoint", two, "--cause", other, "--reason", "the shop is gone"); out != "Discarded: 3\n" {
		t.Errorf("discard:\n%s", out)
	}
	if out := p.reprise(0, "dead-letters"); out != "There are no dead letters.\n" {
		t.Errorf("dead letters:\n%s", out)
	}
	p.arrives(second, 3)
	p.reprise(1, "replay", "plan", "--from", "1h", "--brake", "101")
	if said := p.log.String(); !strings.Contains(said, "--brake: ") {
		t.Error("the fault does not name the flag")
	}
}
