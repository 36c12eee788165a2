package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// replay starts a job over everything that an endpoint may get.
func (g gateway) replay(ctx context.Context, endpoint string, rate int) (id string, err error) {
	var made struct {
		ID string `json:"id"`
	}
	err = g.Call(ctx, http.MethodPost, "/api/v1/replays", map[string]any{
		"endpoint_id": endpoint, "rate_limit": rate, "from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z",
	}, &made)
	return made.ID, err
}

// turn pauses or resumes a job.
func (g gateway) turn(ctx context.Context, job, how string) error {
	return g.Call(ctx, http.MethodPost, "/api/v1/replays/"+job+"/"+how, nil, nil)
}

type replayState struct {
	Status   string `json:"status"`
	Reason   string `json:"reason"`
	Progress struct {
		Processed int `json:"processed"`
	} `json:"progress"`
}

func (g gateway) replayState(ctx context.Context, job string) (state replayState, err error) {
	err = g.Call(ctx, http.MethodGet, "/api/v1/replays/"+job, nil, &state)
	return state, err
}

// replayEnd waits for the end of a job.
func (g gateway) replayEnd(ctx context.Context, job string) error {
	for {
		state, err := g.replayState(ctx, job)
		if err != nil {
			return err
		}
		switch state.Status {
		case "completed":
			return nil
		case "running":
			sleepUntil(ctx, time.Now().Add(250*time.Millisecond))
		default:
			return fmt.Errorf("the replay job is %s: %s", state.Status, state.Reason)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
