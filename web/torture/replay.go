package main

import (
	"context"
	"time"
)

const replayed = 1500 // events of a job at most

// replayFault starts a replay job and, as the fault says, pauses and resumes or
// cancels it. What is cancelled or discarded while it is being sent no longer
// counts as in flight, so that neither happens to the endpoint with a bound.
func (r *rig) replayFault(ctx context.Context, f fault) error {
	names := []string{"quick", "limited", "flaky", "bounded"}
	if f.kind == cancelled {
		names = names[:3]
	}
	name := names[f.pick%uint64(len(names))]
	rate := []int{50, 100, 200}[f.pick>>8%3]
	defer r.begin(f.kind, "%s: a job for %s at %d a second", f.kind, name, rate)()
	var job struct {
		ID string `json:"id"`
	}
	err := r.insist(ctx, "POST", "/api/v1/replays", map[string]any{"endpoint_id": r.endpoints[name], "rate_limit": rate, "max_events": replayed, "brake": 0,
		"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}, &job)
	if err != nil || f.kind == replay {
		return err
	}
	path := "/api/v1/replays/" + job.ID
	rest(ctx, 3*time.Second)
	if f.kind == cancelled {
		return r.Call(ctx, "POST", path+"/cancel", nil, nil)
	}
	if err := r.Call(ctx, "POST", path+"/pause", nil, nil); err != nil {
		return err
	}
	rest(ctx, 5*time.Second)
	return r.insist(ctx, "POST", path+"/resume", nil, nil)
}

// discardSome discards deliveries that are not final. Some end before that.
func (r *rig) discardSome(ctx context.Context, _ fault) error {
	defer r.begin(discard, "some deliveries are discarded")()
	for _, filter := range []string{"?status=retrying&limit=20&endpoint_id=" + r.endpoints["flaky"], "?status=pending&limit=20&endpoint_id=" + r.endpoints["limited"]} {
		var found []struct {
			ID string `json:"id"`
		}
		if err := r.insist(ctx, "GET", "/api/v1/deliveries"+filter, nil, &found); err != nil {
			return err
		}
		for _, d := range found {
			_ = r.Call(ctx, "POST", "/api/v1/deliveries/"+d.ID+"/discard", map[string]string{"reason": "torture"}, nil)
		}
	}
	return nil
}
