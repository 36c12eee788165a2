package main

import (
	"context"

	"github.com/reprise-dev/reprise/relay"
)

// progress is how far a replay job is.
type progress struct {
	Total     int `json:"total"`
	Processed int `json:"processed"`
	Made      int `json:"made"`
	Waiting   int `json:"waiting"`
	Retrying  int `json:"retrying"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Discarded int `json:"discarded"`
	Skipped   int `json:"skipped"`
}

// checkJobs: what the API says of a job is what its deliveries say, and one that
// is completed left nothing out.
func checkJobs(ctx context.Context, r *rig) result {
	out := result{name: "progress of replay jobs is true"}
	jobs, err := r.ids(ctx, "SELECT id FROM replays")
	if err != nil {
		out.fault("the database does not answer: %v", err)
	}
	for _, id := range jobs {
		name := relay.PrefixReplay.Format(id)
		var said struct {
			Status   string   `json:"status"`
			Progress progress `json:"progress"`
		}
		if err := r.Call(ctx, "GET", "/api/v1/replays/"+name, nil, &said); err != nil {
			out.fault("%s: %v", name, err)
			continue
		}
		want, err := r.count(ctx, id)
		if err != nil {
			out.fault("%s: %v", name, err)
			continue
		}
		p := said.Progress
		want.Total, want.Skipped = p.Total, p.Skipped
		want.Processed = want.Succeeded + want.Failed + want.Discarded + want.Skipped
		if p != want {
			out.fault("%s (%s) says %+v, and its rows say %+v", name, said.Status, p, want)
		}
		if said.Status == "completed" && p.Processed != p.Total {
			out.fault("%s is completed with %d of %d", name, p.Processed, p.Total)
		}
		r.say("%s: %s, %d of %d, %d delivered, %d failed, %d discarded", name, said.Status, p.Processed, p.Total, p.Succeeded, p.Failed, p.Discarded)
	}
	return out
}

// count counts the deliveries of a job.
func (r *rig) count(ctx context.Context, id relay.ID) (p progress, err error) {
	err = r.sql.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE status = 'pending'), count(*) FILTER (WHERE status = 'retrying'),
		count(*) FILTER (WHERE status = 'delivered'), count(*) FILTER (WHERE status = 'dlq'), count(*) FILTER (WHERE status = 'discarded')
		FROM deliveries WHERE replay_id = $1`, id[:]).Scan(&p.Made, &p.Waiting, &p.Retrying, &p.Succeeded, &p.Failed, &p.Discarded)
	return p, err
}
