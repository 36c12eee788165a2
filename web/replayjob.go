package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// job is a replay job as the API shows it.
type job struct {
	ID          string   `json:"id"`
	Status      string   `json:"status"`
	Reason      string   `json:"reason"`
	Note        string   `json:"note"`
	EndpointIDs []string `json:"endpoint_ids"`
	RateLimit   int      `json:"rate_limit"`
	Canary      int      `json:"canary"`
	Brake       int      `json:"brake"`
	CreatedAt   string   `json:"created_at"`
	Plan        plan     `json:"plan"`
	Progress    progress `json:"progress"`
}

// plan is what a job will do.
type plan struct {
	Events          int64      `json:"events"`
	Deliveries      int64      `json:"deliveries"`
	ExpectedSeconds float64    `json:"expected_seconds"`
	Oldest          string     `json:"oldest"`
	Newest          string     `json:"newest"`
	ByType          []typeRow  `json:"by_type"`
	ByEndpoint      []whereRow `json:"by_endpoint"`
	NotReplayable   []whyRow   `json:"not_replayable"`
}

type typeRow struct {
	EventType string `json:"event_type"`
	Events    int64  `json:"events"`
}

type whereRow struct {
	EndpointID       string `json:"endpoint_id"`
	Name             string `json:"name"`
	Deliveries       int64  `json:"deliveries"`
	AlreadyDelivered int64  `json:"already_delivered"`
}

type whyRow struct {
	Reason string `json:"reason"`
	Events int64  `json:"events"`
}

// progress is how far a job is.
type progress struct {
	Total     int64    `json:"total"`
	Processed int64    `json:"processed"`
	Succeeded int64    `json:"succeeded"`
	Failed    int64    `json:"failed"`
	Retrying  int64    `json:"retrying"`
	Skipped   int64    `json:"skipped"`
	Rate      float64  `json:"rate"`
	Left      *float64 `json:"seconds_left"`
}

// failureRow is a group of deliveries of a job that failed for one cause, for
// good or so far.
type failureRow struct {
	Cause    string `json:"cause"`
	Example  string `json:"example"`
	Count    int64  `json:"count"`
	Retrying int64  `json:"retrying"`
	FirstID  string `json:"first_delivery_id"`
}

// final reports whether nothing more happens to a job.
func (j *job) final() bool {
	return slices.Contains([]string{"completed", "failed", "cancelled"}, j.Status)
}

// resting reports whether a job goes on only when somebody says so.
func (j *job) resting() bool { return !j.planning() && j.Status != "running" }

// planning reports whether a job is still being counted.
func (j *job) planning() bool { return j.Status == "planning" }

const replaysPath = "/api/v1/replays"

func replayPath(id, act string) string {
	return replaysPath + "/" + url.PathEscape(id) + act
}

// patience is how long a server that went away may take to come back while a
// job is watched.
const patience = time.Minute

// job reads a job. The server may be starting again meanwhile.
func (c *client) job(ctx context.Context, id string) (*job, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		var j job
		err := c.data(ctx, http.MethodGet, replayPath(id, ""), nil, &j)
		var no *refusal
		if err == nil || errors.As(err, &no) && no.status < http.StatusInternalServerError {
			return &j, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// The exit statuses of commands that watch a job.
const (
	exitFailures = 2 // the job is done, but not everything was delivered
	exitPaused   = 3 // it waits for somebody
	exitStopped  = 4 // it was cancelled, or could not go on
)

// exitError ends the program with a status of its own.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

// exitStatus is the status that the program ends with for an error.
func exitStatus(err error) int {
	var e *exitError
	if errors.As(err, &e) {
		return e.code
	}
	return 1
}

// outcome is how a job that is at rest ended, as an error if it did not do all.
func (j *job) outcome() error {
	switch {
	case j.Status == "paused":
		return &exitError{exitPaused, "the job is paused: " + orNone(j.Reason)}
	case j.Status == "failed":
		return &exitError{exitStopped, "the job failed: " + orNone(j.Reason)}
	case j.Status == "cancelled":
		return &exitError{exitStopped, "the job was cancelled"}
	case j.Status == "completed" && j.Progress.Failed > 0:
		return &exitError{exitFailures, several(j.Progress.Failed) + " failed; `reprise replay failed " + j.ID + "` tells why"}
	}
	return nil
}

func several(deliveries int64) string {
	if deliveries == 1 {
		return "1 delivery"
	}
	return grouped(deliveries) + " deliveries"
}

func orNone(s string) string {
	if s == "" {
		return "no reason was given"
	}
	return s
}
