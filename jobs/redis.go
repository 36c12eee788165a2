package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// keyPrefix begins every key and channel of ours; asynq's begin with "asynq:".
const keyPrefix = "reprise:"

// EmbeddedURL asks for the embedded Redis.
const EmbeddedURL = "embedded"

// OpenRedis makes a client from a REDIS_URL; see CheckRedisURL for what it may be.
// It does not connect, for the product starts while Redis is away. closeFn
// closes the client and, if there is one, the embedded server.
func OpenRedis(url string) (client redis.UniversalClient, embedded bool, closeFn func() error, err error) {
	if url == EmbeddedURL {
		e, err := StartEmbedded()
		if err != nil {
			return nil, true, nil, fmt.Errorf("jobs: start the embedded Redis: %w", err)
		}
		client = e.Client()
		return client, true, func() error { return errors.Join(client.Close(), e.Close()) }, nil
	}
	opts, err := redisOptions(url)
	if err != nil {
		return nil, false, nil, err
	}
	applyDefaults(opts)
	client = redis.NewClient(opts)
	return client, false, client.Close, nil
}

// applyDefaults makes a Redis that is away or slow cost little: the database
// has everything, so giving up soon is right.
func applyDefaults(o *redis.Options) {
	logOnce.Do(func() { redis.SetLogger(new(redisLog)) })
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&o.DialTimeout, 2*time.Second)
	set(&o.ReadTimeout, 2*time.Second)
	set(&o.WriteTimeout, 2*time.Second)
	set(&o.PoolTimeout, 3*time.Second)
	if o.PoolSize == 0 {
		o.PoolSize = 32
	}
	if o.MaxRetries == 0 {
		o.MaxRetries = 1
	}
	if o.DialerRetries == 0 {
		o.DialerRetries = 1
	}
	if o.Protocol == 0 {
		o.Protocol = 2 // RESP3 costs a look for push messages at each command
	}
	o.ContextTimeoutEnabled = true
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// CheckRedis finds out whether a Redis server can be used; one that says
// ErrRedisCluster never can. The warnings tell what about it is not as it should be,
// in sentences for the log at start.
func CheckRedis(ctx context.Context, client redis.UniversalClient) (warnings []string, err error) {
	if err := probe(ctx, client); err != nil {
		return nil, err
	}
	info := client.Info(ctx, "server", "memory").Val()
	if info == "" {
		warnings = append(warnings, "This user may not ask Redis about itself (INFO); see to it that its maxmemory-policy is noeviction.")
	}
	if v := infoField(info, "redis_version"); v != "" && !atLeast(v, 6, 2) {
		warnings = append(warnings, "Redis "+v+" is too old; use 6.2 or newer, or Valkey.")
	}
	if p := infoField(info, "maxmemory_policy"); p != "" && p != "noeviction" {
		warnings = append(warnings, "Redis evicts keys when its memory is full (maxmemory-policy "+p+
			"), which delays deliveries; set maxmemory-policy to noeviction.")
	}
	return warnings, nil
}

func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func atLeast(version string, major, minor int) bool {
	a, rest, _ := strings.Cut(version, ".")
	b, _, _ := strings.Cut(rest, ".")
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return x > major || x == major && y >= minor
}

var logOnce sync.Once

// redisLog hands what go-redis has to say to slog, one line in ten seconds at
// most: while Redis is away it says the same thing over and over.
type redisLog struct{ last atomic.Int64 }

func (l *redisLog) Printf(_ context.Context, format string, v ...any) {
	now := time.Now().Unix()
	if last := l.last.Load(); now-last >= 10 && l.last.CompareAndSwap(last, now) {
		slog.Warn("redis client", "message", fmt.Sprintf(format, v...))
	}
}
