package main

import (
	"context"
	"errors"
	"path/filepath"
)

// rival is what runs beside the server to be measured against it.
type rival struct {
	ingest string // where it takes events
	procs  processes
	stop   func() error
}

type startRival func(context.Context) (rival, error)

// rivals are how to start those that the stores allow, by the name of their side.
func rivals(binary string, stores *stores, receiver string) map[string]startRival {
	at := func(start func(context.Context, place) (rival, error)) startRival {
		return func(ctx context.Context) (rival, error) {
			p, err := stores.place()
			if err != nil {
				return rival{}, err
			}
			return start(ctx, p)
		}
	}
	to := "http://" + receiver + "/hook"
	if stores.postgres == nil {
		return map[string]startRival{
			bareSide: at(func(ctx context.Context, p place) (rival, error) {
				return startPipeline(ctx, bareSide, "-storage", "embedded", "-file", filepath.Join(p.dir, "pipeline.db"), "-to", to)
			}),
		}
	}
	return map[string]startRival{
		bareSide: at(func(ctx context.Context, p place) (rival, error) {
			return startPipeline(ctx, bareSide, "-storage", "postgres", "-database", p.database, "-to", to)
		}),
		asynqSide: at(func(ctx context.Context, p place) (rival, error) {
			return startPipeline(ctx, asynqSide, "-storage", "postgres", "-database", p.database, "-redis", p.redis, "-to", to)
		}),
		halvesSide: at(func(ctx context.Context, p place) (rival, error) {
			halves, err := startHalves(ctx, binary, p, halfWorkers)
			if err != nil {
				return rival{}, err
			}
			ingest, err := halves.gateway.relay(ctx, "bench", receiver, 1)
			if err != nil {
				return rival{}, errors.Join(err, halves.stop())
			}
			return rival{ingest: ingest, procs: halves.procs, stop: halves.stop}, nil
		}),
	}
}

func startPipeline(ctx context.Context, name string, args ...string) (rival, error) {
	c, err := startChild(ctx, append([]string{"pipeline"}, args...)...)
	if err != nil {
		return rival{}, err
	}
	stop := func() error {
		c.stop()
		return nil
	}
	return rival{ingest: "http://" + c.address + "/", procs: processes{name: c.pid}, stop: stop}, nil
}
