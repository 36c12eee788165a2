package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hibiken/asynq"
)

// queues tells of each of asynq's queues that has something in it what that is,
// and of each that is no living process's. Their keys are asked for, too: a queue
// may be gone from asynq's list.
func (r *rig) queues(ctx context.Context) (left []string, err error) {
	inspect := asynq.NewInspectorFromRedisClient(r.asking)
	names, err := inspect.Queues()
	if err != nil {
		return nil, err
	}
	keys, err := r.asking.Keys(ctx, "asynq:{*").Result()
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		name, _, _ := strings.Cut(strings.TrimPrefix(key, "asynq:{"), "}")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	alive, err := r.alive(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if owner, own := strings.CutPrefix(name, "deliver:"); own && !slices.Contains(alive, owner) {
			left = append(left, name+" is of no living process")
			continue
		}
		info, err := inspect.GetQueueInfo(name)
		if err != nil {
			continue // it is not in asynq's list, or has just been removed
		}
		if info.Pending+info.Active+info.Scheduled+info.Retry+info.Archived > 0 {
			left = append(left, fmt.Sprintf("%s has %d pending, %d active, %d scheduled, %d to retry, %d archived",
				name, info.Pending, info.Active, info.Scheduled, info.Retry, info.Archived))
		}
	}
	return left, nil
}

// alive are the processes that have said so in the last 15 seconds, as the names
// of their queues do.
func (r *rig) alive(ctx context.Context) (out []string, err error) {
	rows, err := r.sql.QueryContext(ctx, "SELECT id FROM processes WHERE beat_at > (extract(epoch FROM clock_timestamp()) * 1000000)::int8 - 15000000")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, strconv.FormatInt(id, 36))
	}
	return out, rows.Err()
}
