package main

import (
	"fmt"
	"net/http"
	"testing"
)

type jobThing struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Reason   string `json:"reason"`
	Rate     int    `json:"rate_limit"`
	Progress struct {
		Total     int `json:"total"`
		Processed int `json:"processed"`
		Succeeded int `json:"succeeded"`
		Made      int `json:"made"`
	} `json:"progress"`
}

func (p *program) job(id string) jobThing {
	p.t.Helper()
	var got answer[jobThing]
	if status := p.call("GET", "/replays/"+id, nil, &got); status != http.StatusOK {
		p.t.Fatalf("reading the job: %d", status)
	}
	return got.Data
}

// TestKilledInTheMiddleOfAReplayJob kills the program again and again while a
// job runs: each planned event becomes exactly one delivery of the job.
func TestKilledInTheMiddleOfAReplayJob(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		sink := newSink(t)
		p.start()
		target := p.source("bulk")
		endpoint := p.endpoint(sink.URL, nil)
		const events = 300
		for i := range events {
			post(t, target, fmt.Sprintf(`{"type":"order.created","n":%d}`, i), nil)
		}
		p.eventually("all are delivered once", func() bool { return sink.total.Load() == events })
		p.eventually("and recorded", func() bool { return len(p.list("/deliveries?status=delivered")) == events })
		var made answer[jobThing]
		status := p.call("POST", "/replays", map[string]any{"endpoint_id": endpoint, "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "rate_limit": 100}, &made)
		if status != http.StatusAccepted {
			t.Fatalf("starting the job: %d", status)
		}
		job := made.Data.ID
		for round := range 4 {
			want := int64(events + (round+1)*40)
			p.eventually("the job goes on", func() bool { return sink.total.Load() >= want })
			p.kill()
			p.start()
		}
		p.eventually("the job completes", func() bool { return p.job(job).Status == "completed" })
		perEvent := map[string]int{}
		for _, d := range p.list("/deliveries?replay_id=" + job) {
			perEvent[d.EventID]++
			if d.Status != "delivered" {
				t.Errorf("delivery %s of the job is %s", d.ID, d.Status)
			}
		}
		if len(perEvent) != events {
			t.Errorf("the job made deliveries of %d events, want %d", len(perEvent), events)
		}
		for id, n := range perEvent {
			if n != 1 {
				t.Errorf("the job made %d deliveries of %s", n, id)
			}
			if sink.seen(id) < 2 {
				t.Errorf("event %s did not arrive again", id)
			}
		}
		if got := p.job(job).Progress; got.Total != events || got.Succeeded != events {
			t.Errorf("progress %+v", got)
		}
	})
}
