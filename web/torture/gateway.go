package main

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/web/api"
)

// gateway is the REST API of the web process.
type gateway struct{ api.Client }

// insist is Call, again and again for a while: the database may be away.
func (g gateway) insist(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := g.Call(ctx, method, path, in, out)
		if err == nil || ctx.Err() != nil {
			return err
		}
		rest(ctx, time.Second)
	}
}

// rest waits, unless ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
