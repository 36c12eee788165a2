package main

import (
	"net/http"
	"testing"
)

// TestOneBudgetOfReplaysProgram replays one delivery by the real commands and
// by calls: together they may do 10 a minute.
func TestOneBudgetOfReplaysProgram(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		p.env = append(p.env, "REPRISE_REPLAYS_PER_MINUTE=10")
		p.start()
		sink := newSink(t)
		endpoint := p.endpoint(sink.URL, nil)
		post(t, p.source("budget"), `{"type":"a"}`, nil)
		p.arrives(sink, 1)
		event, delivery := p.list("/events")[0].ID, p.list("/deliveries")[0].ID
		for range 3 {
			p.reprise(0, "deliveries", "replay", delivery)
			p.reprise(0, "deliveries", "replay", delivery)
			if status := p.call("POST", "/webhooks/"+endpoint+"/deliveries/"+delivery+"/replay", nil, nil); status != http.StatusAccepted {
				t.Fatalf("a call: %d", status)
			}
		}
		p.reprise(0, "deliveries", "replay", delivery)
		for range 10 {
			for _, path := range []string{"/deliveries/" + delivery + "/replay", "/endpoints/" + endpoint + "/replay-failed"} {
				if status := p.call("POST", path, nil, nil); status != http.StatusTooManyRequests {
					t.Errorf("%s: %d after 10 replays", path, status)
				}
			}
		}
		p.reprise(1, "deliveries", "replay", delivery)
		p.reprise(0, "events", "replay", event)
		p.reprise(0, "deliveries", "retry", delivery)
		p.arrives(sink, 13)
	})
}
