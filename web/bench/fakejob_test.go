package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// fakeJob sends all past events of the last endpoint again, every millisecond
// one, while it runs.
type fakeJob struct {
	status    string
	processed int
	starts    int           // how often it was made or resumed
	slows     time.Duration // live events, while it runs
}

// replays answers a request below /api/v1/replays. The lock is held.
func (f *fakeGateway) replays(w http.ResponseWriter, path []string) {
	switch {
	case len(path) == 0:
		f.job.status = "running"
		f.job.starts++
		f.sending.Go(func() { f.run(f.endpoints[len(f.endpoints)-1]) })
	case len(path) == 2 && path[1] == "pause":
		f.job.status = "paused"
	case len(path) == 2:
		f.job.status = "running"
		f.job.starts++
	}
	var state replayState
	state.Status, state.Progress.Processed = f.job.status, f.job.processed
	body, _ := json.Marshal(state)
	fmt.Fprintf(w, `{"data":{"id":"job",%s}`, body[1:])
}

func (f *fakeGateway) run(e *fakeEndpoint) {
	for {
		<-time.After(time.Millisecond)
		f.mu.Lock()
		if f.job.status == "running" {
			if f.job.processed == len(e.past) {
				f.job.status = "completed"
				f.mu.Unlock()
				return
			}
			f.send(e.url, e.past[f.job.processed])
			f.job.processed++
		}
		f.mu.Unlock()
	}
}
