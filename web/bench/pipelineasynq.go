package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
)

// throughAsynq makes each delivery a task of asynq that carries the event, as
// programs that are built on a queue in Redis do.
func (p *pipeline) throughAsynq(redisURL string) (stop func(), err error) {
	opt, err := asynq.ParseRedisURI(redisURL)
	if err != nil {
		return nil, err
	}
	client := asynq.NewClient(opt)
	p.hand = func(ctx context.Context, it *item) error {
		payload := append(binary.LittleEndian.AppendUint64(nil, uint64(it.id)), it.body...)
		_, err := client.EnqueueContext(ctx, asynq.NewTask("deliver", payload), asynq.MaxRetry(0))
		return err
	}
	server := asynq.NewServer(opt, asynq.Config{
		Concurrency: pipelineSenders, LogLevel: asynq.FatalLevel, TaskCheckInterval: 50 * time.Millisecond,
	})
	err = server.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		payload := task.Payload()
		if len(payload) < 8 {
			return fmt.Errorf("a task of %d bytes is none of ours", len(payload))
		}
		return p.send(ctx, &item{id: int64(binary.LittleEndian.Uint64(payload)), body: payload[8:]})
	}))
	if err != nil {
		_ = client.Close()
		return nil, err
	}
	return func() {
		server.Shutdown()
		_ = client.Close()
	}, nil
}
