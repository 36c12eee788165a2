package handlers

import (
	"context"
	"sync"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// watches are the replay jobs that somebody follows. However many follow one, it
// is looked at once in a while; who reads slowly gets the latest state.
type watches struct {
	mu    sync.Mutex
	byJob map[relay.ID]*watch
	look  func(ctx context.Context, project, job relay.ID) (relay.ReplayJob, error)
	every time.Duration
}

func newWatches(look func(ctx context.Context, project, job relay.ID) (relay.ReplayJob, error)) *watches {
	return &watches{byJob: map[relay.ID]*watch{}, look: look, every: lookEvery}
}

// watch is one job that is looked at. Its fields are guarded by watches.mu.
type watch struct {
	followers int
	job       relay.ReplayJob
	err       error
	news      chan struct{} // closed when there is a newer state
	stop      context.CancelFunc
}

// follow begins to follow a job. Each call of next waits for a state that is newer
// than the one before; leave must be called at the end.
func (w *watches) follow(job relay.ReplayJob) (next func(context.Context, <-chan time.Time) (relay.ReplayJob, error), leave func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.byJob[job.ID]
	if one == nil {
		ctx, stop := context.WithCancel(context.Background())
		one = &watch{job: job, news: make(chan struct{}), stop: stop}
		w.byJob[job.ID] = one
		go w.run(ctx, one)
	}
	one.followers++
	news := one.news
	next = func(ctx context.Context, beat <-chan time.Time) (relay.ReplayJob, error) {
		select {
		case <-news:
		case <-beat:
		case <-ctx.Done():
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		news = one.news
		return one.job, one.err
	}
	return next, func() { w.leave(one) }
}

func (w *watches) leave(one *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one.followers--; one.followers == 0 {
		one.stop()
		delete(w.byJob, one.job.ID)
	}
}

func (w *watches) run(ctx context.Context, one *watch) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		job, err := w.look(ctx, one.job.ProjectID, one.job.ID)
		if ctx.Err() != nil {
			return
		}
		w.mu.Lock()
		if one.err = err; err == nil {
			one.job = job
		}
		close(one.news)
		one.news = make(chan struct{})
		w.mu.Unlock()
	}
}
