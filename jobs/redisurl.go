package jobs

import (
	"errors"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"
)

const urlForms = "embedded, redis://user:password@host:6379/0, rediss://… (TLS) or unix:///path/to/redis.sock"

// What a REDIS_URL may ask for and does not get. Each goes on after the name of the
// variable, and says what to do instead.
var (
	errURLForm = errors.New("must be " + urlForms +
		"; in a password, characters such as / ? # @ are written as %2F %3F %23 %40")
	errURLSentinel = errors.New("is for Redis Sentinel, which Reprise does not ask: " +
		"name one Redis server, or an address that leads to the master, as redis://host:6379")
	errURLCluster = errors.New("is for Redis Cluster, which Reprise does not use: " +
		"name one Redis server that runs without cluster mode, as redis://host:6379")
	errURLSeveral = errors.New("names several servers: name one, as redis://host:6379; " +
		"while it is away, Reprise works without it")
	errURLPrefix = errors.New("asks for a prefix of keys, which Reprise does not have: " +
		"give it a database number of its own, as redis://host:6379/3")
)

// CheckRedisURL says what is wrong with a REDIS_URL, in words that go on after its
// name and show nothing of it: it holds the password.
func CheckRedisURL(raw string) error {
	if raw == EmbeddedURL {
		return nil
	}
	_, err := redisOptions(raw)
	return err
}

func redisOptions(raw string) (*redis.Options, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return nil, errURLForm
	}
	host := rest[strings.LastIndexByte(rest, '@')+1:]
	if end := strings.IndexAny(host, "/?#"); end >= 0 {
		host = host[:end]
	}
	known := scheme == "redis" || scheme == "rediss"
	switch {
	case strings.Contains(scheme, "sentinel"):
		return nil, errURLSentinel
	case strings.Contains(scheme, "cluster"):
		return nil, errURLCluster
	case known && strings.Contains(host, ","):
		return nil, errURLSeveral
	}
	u, err := url.Parse(raw)
	if err != nil || known && u.Host == "" || !known && scheme != "unix" {
		return nil, errURLForm
	}
	for name := range u.Query() {
		switch name = strings.ToLower(name); {
		case name == "addr":
			return nil, errURLSeveral
		case strings.Contains(name, "prefix"):
			return nil, errURLPrefix
		case strings.Contains(name, "master"), strings.Contains(name, "sentinel"):
			return nil, errURLSentinel
		}
	}
	opts, err := redis.ParseURL(raw)
	if err != nil || opts.DB < 0 {
		return nil, errURLForm // the cause would repeat the URL
	}
	return opts, nil
}
