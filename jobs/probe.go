package jobs

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-dev/reprise/relay"
)

// probeTime is how long an answer to a probe may take, probeLife how long what it
// writes stays.
const (
	probeTime = time.Second
	probeLife = 10 * time.Second
)

// probe finds out whether deliveries can go through a Redis server: it writes among
// our keys and among asynq's, and runs a script. A server that answers may still
// refuse that: it is a replica, full, loading, or gives this user no right. What
// it says of that is the Detail of the error, which is a relay.Error then.
func probe(ctx context.Context, client redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, keyPrefix+"probe", "", probeLife)
		p.Set(ctx, "asynq:probe", "", probeLife)
		p.Eval(ctx, "return 1", nil)
		return nil
	})
	var said redis.Error
	if err == nil || !errors.As(err, &said) {
		return err
	}
	text := strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, said.Error())
	detail := "Redis refuses to work: " + text
	if strings.HasPrefix(text, "WRONGPASS") || strings.HasPrefix(text, "NOAUTH") || strings.Contains(text, "invalid password") {
		detail = "Redis refuses the password of REDIS_URL: " + text
	}
	return &relay.Error{Kind: relay.KindUnavailable, Detail: detail, Cause: err}
}
