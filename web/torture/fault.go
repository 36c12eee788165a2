package main

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// inflict lets each fault happen at its time, and returns when all are over.
func (r *rig) inflict(ctx context.Context, faults []fault) {
	start := time.Now()
	var all sync.WaitGroup
	for _, f := range faults {
		all.Go(func() {
			if !after(ctx, start, f.at) {
				return
			}
			if err := r.let(ctx, f); err != nil && ctx.Err() == nil {
				r.say("%s did not work: %v", f.kind, err)
			}
		})
	}
	all.Wait()
}

func (r *rig) let(ctx context.Context, f fault) error {
	switch f.kind {
	case kill, freeze:
		r.processFault(ctx, f)
	case flush, redisKill, redisAway:
		return r.redisFault(ctx, f)
	case restart, crash, terminate:
		return r.postgresFault(ctx, f)
	case replay, halted, cancelled:
		return r.replayFault(ctx, f)
	case discard:
		return r.discardSome(ctx, f)
	default:
		return r.endpointFault(ctx, f)
	}
	return nil
}

func (r *rig) processFault(ctx context.Context, f fault) {
	w := r.workers[f.pick%workers]
	w.turn.Lock()
	defer w.turn.Unlock()
	if f.kind == kill {
		defer r.begin(kill, "%s is killed", w.name)()
		w.signal(syscall.SIGKILL)
		rest(ctx, 2*time.Second) // it is started again meanwhile
		return
	}
	long := f.long
	if f.pick>>8%2 == 0 { // less than what makes others take it for dead
		long = min(long, 8*time.Second)
	}
	defer r.begin(freeze, "%s is stopped for %s", w.name, long)()
	w.signal(syscall.SIGSTOP)
	rest(ctx, long)
	w.signal(syscall.SIGCONT)
}

func (r *rig) redisFault(ctx context.Context, f fault) error {
	defer r.turn("redis")()
	if f.kind == flush {
		defer r.begin(flush, "Redis is flushed")()
		return r.asking.FlushAll(ctx).Err()
	}
	signal, away := "KILL", time.Second
	if f.kind == redisAway { // it comes back with what it had
		signal, away = "TERM", f.long
	}
	defer r.begin(f.kind, "Redis ends by %s for %s", signal, away)()
	if err := r.redis.Halt(signal); err != nil {
		return err
	}
	rest(ctx, away)
	return r.redis.Again()
}

// postgresFault: QUIT is the end without a checkpoint and without the last lazy
// commits, as after a crash of the server.
func (r *rig) postgresFault(ctx context.Context, f fault) error {
	defer r.turn("postgres")()
	if f.kind == terminate {
		defer r.begin(terminate, "PostgreSQL drops every connection")()
		_, err := r.sql.ExecContext(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reprise'")
		return err
	}
	signal := "INT"
	if f.kind == crash {
		signal = "QUIT"
	}
	defer r.begin(f.kind, "PostgreSQL ends by %s for 2 s", signal)()
	if err := r.postgres.Halt(signal); err != nil {
		return err
	}
	rest(ctx, 2*time.Second)
	return r.postgres.Again()
}

func (r *rig) endpointFault(ctx context.Context, f fault) error {
	name := targets[f.pick%uint64(len(targets))].name
	defer r.turn(name)()
	long := min(f.long, 10*time.Second)
	if f.kind == pause {
		defer r.begin(pause, "%s is paused for %s", name, long)()
		path := "/api/v1/endpoints/" + r.endpoints[name]
		if err := r.insist(ctx, "POST", path+"/pause", nil, nil); err != nil {
			return err
		}
		rest(ctx, long)
		return r.insist(ctx, "POST", path+"/resume", nil, nil)
	}
	what := map[kind]string{hang: "hangs", reset: "resets its connections", refuse: "answers 500", slow: fmt.Sprintf("takes %s", slowAnswer)}
	defer r.begin(f.kind, "%s %s for %s", name, what[f.kind], long)()
	r.receiver.become(name, f.kind)
	rest(ctx, long)
	r.receiver.become(name, "")
	return nil
}
