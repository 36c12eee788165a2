package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
)

// pipelineCommand serves a bare pipeline on stores that nobody else has, until
// standard input closes. Its first line is where it takes events.
func pipelineCommand(ctx context.Context, args []string) error {
	var (
		flags    = flag.NewFlagSet("pipeline", flag.ContinueOnError)
		storage  = flags.String("storage", "embedded", "embedded: SQLite; postgres")
		file     = flags.String("file", "pipeline.db", "the SQLite database to make")
		database = flags.String("database", "", "the URL of an empty PostgreSQL database")
		redis    = flags.String("redis", "", "the URL of a Redis database: deliveries go through asynq")
		to       = flags.String("to", "", "the URL that deliveries go to")
	)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *to == "" {
		return errors.New("-to must say where deliveries go")
	}
	var store interface {
		pipelineStore
		close()
	}
	var err error
	switch *storage {
	case "embedded":
		store, err = openPipelineSQLite(ctx, *file)
	case "postgres":
		store, err = openPipelinePostgres(ctx, *database)
	default:
		return fmt.Errorf("%s is neither embedded nor postgres", *storage)
	}
	if err != nil {
		return err
	}
	defer store.close()
	p := newPipeline(store, *to)
	if *redis != "" {
		stop, err := p.throughAsynq(*redis)
		if err != nil {
			return err
		}
		defer stop()
	}
	return untilStdinCloses(ctx, p.serve)
}
