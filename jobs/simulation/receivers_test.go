package simulation

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/reprise-dev/reprise/jobs/send"
	"github.com/reprise-dev/reprise/relay"
)

// arrival is a request that a receiver got.
type arrival struct {
	delivery, event string
	attempt         int
	endpoint        relay.ID
	process         *process
	at, end         time.Time // end is zero while it is under way
}

// receivers are all endpoints, seen from outside.
type receivers struct {
	mu       sync.Mutex
	arrivals []*arrival
	broken   map[relay.ID]bool // endpoints that answer 500 now
	hanging  map[relay.ID]bool // endpoints that answer nothing now
}

// Send is jobs.Sender.
func (p *process) Send(ctx context.Context, req send.Request) send.Result {
	began := time.Now()
	result := func(status int, outcome relay.Outcome) send.Result {
		return send.Result{Result: relay.Result{Outcome: outcome, Status: status}, StartedAt: began, Duration: time.Since(began)}
	}
	if p.runs(ctx) != nil {
		return result(0, relay.OutcomeInterrupted)
	}
	w, id := p.world, req.Endpoint.ID
	a := &arrival{delivery: req.DeliveryID, event: req.EventID, attempt: req.AttemptNumber, endpoint: id, process: p, at: time.Now()}
	w.receivers.mu.Lock()
	w.receivers.arrivals = append(w.receivers.arrivals, a)
	w.receivers.mu.Unlock()
	w.checkWanted(a)
	answer := w.target(id).answer(w)
	timer := time.NewTimer(min(answer.after, req.Endpoint.HTTPTimeout))
	defer timer.Stop()
	status := 0
	select {
	case <-timer.C:
		status = answer.status
	case <-ctx.Done():
	case <-p.died:
	}
	w.receivers.mu.Lock()
	a.end = time.Now()
	w.receivers.mu.Unlock()
	switch {
	case status == 0:
		return result(0, relay.OutcomeInterrupted)
	case answer.after > req.Endpoint.HTTPTimeout:
		return result(0, relay.OutcomeTimeout)
	case status >= http.StatusBadRequest:
		return result(status, relay.OutcomeStatus)
	}
	return result(status, relay.OutcomeSuccess)
}

type answer struct {
	after  time.Duration
	status int
}
