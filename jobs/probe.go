package jobs

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
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

// ErrRedisCluster says that REDIS_URL leads to a server of a cluster, where keys that
// are used together lie apart.
var ErrRedisCluster = errors.New("leads to a Redis server in cluster mode, which Reprise does not use: " +
	"name one that runs without cluster mode")

// probe finds out whether deliveries can go through a Redis server: it writes among
// our keys and among asynq's, asks for both together, and runs a script. A server
// that answers may still refuse that: it is a replica, part of a cluster, full,
// loading, or gives this user no right. What it says of that is the Detail of the
// error, which is a relay.Error then.
func probe(ctx context.Context, client redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	const ours, asynqs = keyPrefix + "probe", "asynq:probe"
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, ours, "", probeLife)
		p.Set(ctx, asynqs, "", probeLife)
		p.Exists(ctx, ours, asynqs)
		p.Eval(ctx, "return 1", nil)
		return nil
	})
	var said redis.Error
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		return &relay.Error{Kind: relay.KindUnavailable, Detail: "Redis has a certificate that is not trusted here.", Cause: err}
	case err != nil && errors.As(err, &said):
		return refusal(said)
	}
	return err
}

// refusal puts into words what Redis said.
func refusal(said redis.Error) error {
	text := strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, said.Error())
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	out := &relay.Error{Kind: relay.KindUnavailable, Detail: "Redis refuses to work: " + text, Cause: said}
	switch {
	case says("WRONGPASS", "NOAUTH", "invalid password"):
		out.Detail = "Redis refuses the password of REDIS_URL: " + text
	case says("READONLY"):
		out.Detail = "Redis is a replica; REDIS_URL must name the server that it follows: " + text
	case says("CROSSSLOT", "MOVED", "CLUSTERDOWN", "cluster mode"):
		out.Detail = "Redis runs in cluster mode, which Reprise does not use: " + text
		out.Cause = ErrRedisCluster
	}
	return out
}
