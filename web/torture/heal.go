package main

import (
	"context"
	"slices"
	"syscall"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// heal makes everything well again that a fault may have left.
func (r *rig) heal(ctx context.Context) error {
	for _, w := range r.workers {
		w.signal(syscall.SIGCONT)
	}
	for _, t := range targets {
		r.receiver.become(t.name, "")
		var endpoint struct {
			Status string `json:"status"`
		}
		path := "/api/v1/endpoints/" + r.endpoints[t.name]
		if err := r.insist(ctx, "GET", path, nil, &endpoint); err != nil {
			return err
		}
		if endpoint.Status == "paused" {
			if err := r.insist(ctx, "POST", path+"/resume", nil, nil); err != nil {
				return err
			}
		}
	}
	paused, err := r.ids(ctx, "SELECT id FROM replays WHERE status = 'paused'")
	if err != nil {
		return err
	}
	for _, id := range paused {
		if err := r.insist(ctx, "POST", "/api/v1/replays/"+relay.PrefixReplay.Format(id)+"/resume", nil, nil); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) ids(ctx context.Context, query string) (out []relay.ID, err error) {
	rows, err := r.sql.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id relay.ID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// open is what is not final.
type open struct{ deliveries, leases, jobs, queued int }

func (r *rig) open(ctx context.Context) (o open, err error) {
	err = r.sql.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM deliveries WHERE status IN ('pending', 'retrying')),
		(SELECT count(*) FROM deliveries WHERE lease_until IS NOT NULL), (SELECT count(*) FROM replays WHERE finished_at IS NULL OR settling)`).
		Scan(&o.deliveries, &o.leases, &o.jobs)
	if err != nil {
		return o, err
	}
	left, err := r.queues(ctx)
	o.queued = len(left)
	return o, err
}

// settle waits until everything is final and the queues are empty, and reports
// how long that took; zero: it was not in time.
func (r *rig) settle(ctx context.Context, patience time.Duration) time.Duration {
	began := time.Now()
	var told open
	for time.Since(began) < patience && ctx.Err() == nil {
		o, err := r.open(ctx)
		if err == nil && o == (open{}) {
			return time.Since(began)
		}
		if err == nil && o != told && time.Since(began).Truncate(time.Second)%(10*time.Second) == 0 {
			told = o
			r.say("open: %d deliveries, %d leases, %d replay jobs, %d queues with something in them", o.deliveries, o.leases, o.jobs, o.queued)
		}
		rest(ctx, time.Second)
	}
	return 0
}

// watch looks every two seconds for deliveries that nobody would ever find: not
// final, not due, in nobody's hands; or final and yet due or in hands. Those of a
// paused job are parked.
func (r *rig) watch(ctx context.Context) (limbo []string) {
	for ctx.Err() == nil {
		found, err := r.ids(ctx, `SELECT d.id FROM deliveries d LEFT JOIN replays r ON r.id = d.replay_id
			WHERE (d.due_at IS NOT NULL AND d.lease_until IS NOT NULL
				OR (d.status IN ('pending', 'retrying')) <> (d.due_at IS NOT NULL OR d.lease_until IS NOT NULL))
			AND NOT coalesce(r.status = 'paused' OR r.settling, false) LIMIT 10`)
		for _, id := range found {
			name := relay.PrefixDelivery.Format(id)
			if err == nil && !slices.Contains(limbo, name) {
				limbo = append(limbo, name)
			}
		}
		rest(ctx, 2*time.Second)
	}
	return limbo
}
