package jobs

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/relay"
)

func TestRedisURLsThatAreRefused(t *testing.T) {
	t.Parallel()
	const form, sentinel, cluster, several, prefix = "must be embedded, redis://", "Redis Sentinel", "Redis Cluster", "several servers", "database number"
	for url, says := range map[string]string{
		"":                                      form,
		"localhost:6379":                        form,
		"my-cluster.example:6379":               form,
		"http://x":                              form,
		"redis://":                              form,
		"redis:///3":                            form,
		"unix://":                               form,
		"redis://:s3cret@host:port:port/x":      form,
		"redis://:s3c/ret@host:6379":            form,
		"redis://u:s3cret@h/not-a-number":       form,
		"redis://u:s3cret@h/-1":                 form,
		"redis://u:s3cret@h/1/2":                form,
		"redis://u:s3cret@h?s3cret=1":           form,
		"redis-sentinel://:s3cret@h:26379/main": sentinel,
		"redis+sentinel://:s3cret@h:26379":      sentinel,
		"redis://:s3cret@h?master_name=main":    sentinel,
		"redis+cluster://:s3cret@h:6379":        cluster,
		"rediss+cluster://:s3cret@h:6379":       cluster,
		"redis-cluster://:s3cret@h:6379":        cluster,
		"redis://:s3cret@a,b,c":                 several,
		"redis://:s3cret@a:1,b:2,c:3/0":         several,
		"redis://:s3cret@a:1?addr=b:1&addr=c:1": several,
		"redis://:s3cret@a:1/0?prefix=x:":       prefix,
		"redis://:s3cret@a:1/0?key_prefix=x:":   prefix,
	} {
		_, _, _, err := OpenRedis(url)
		if err == nil || err.Error() != CheckRedisURL(url).Error() || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", url, err)
		} else if strings.Contains(err.Error(), "s3c") {
			t.Errorf("%q: the error shows the password: %v", url, err)
		}
	}
	for _, url := range []string{EmbeddedURL, "redis://h", "redis://a,b:p,w@h:1/2", "rediss://u:p@h:1/2?skip_verify=true", "unix:///a/b.sock?db=3"} {
		if err := CheckRedisURL(url); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// TestRedisURLsThatWork has an engine deliver by way of a real server, asked in each
// form that is taken.
func TestRedisURLsThatWork(t *testing.T) {
	t.Parallel()
	certificate, key := dbtest.Certificate(t)
	socket := filepath.Join(t.TempDir(), "redis.sock")
	tlsPort := freePort(t)
	server := startRedis(t, "--unixsocket", socket,
		"--tls-port", tlsPort, "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate, "--tls-auth-clients", "no")
	admin := openTestRedis(t, server.URL)
	for _, command := range []string{"CONFIG SET requirepass s3cret", "ACL SETUSER somebody on >s3cret ~* &* +@all"} {
		do(t, admin, command)
	}
	here := "127.0.0.1:" + server.port
	for number, url := range map[string]string{
		"1": "redis://:s3cret@" + here + "/1",
		"2": "redis://somebody:s3cret@" + here + "/2",
		"3": "redis://somebody:s3cret@" + here + "?db=3",
		"4": "rediss://somebody:s3cret@127.0.0.1:" + tlsPort + "/4?skip_verify=true",
		"5": "unix://somebody:s3cret@" + socket + "?db=5",
	} {
		t.Run(number, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, dbtest.Postgres(t), url)
			r.deliversThroughRedis()
			if keys := admin.Info(t.Context(), "keyspace").Val(); !strings.Contains(keys, "db"+number+":") || strings.Contains(keys, "db0:") {
				t.Errorf("the keys are elsewhere: %s", keys)
			}
		})
	}
}

// do runs a command of words without spaces.
func do(t *testing.T, client redis.UniversalClient, command string) {
	t.Helper()
	var words []any
	for _, word := range strings.Fields(command) {
		words = append(words, word)
	}
	if err := client.Do(t.Context(), words...).Err(); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
}

// deliversThroughRedis starts an engine and sees to it that what it delivers goes by
// way of Redis, and not around it.
func (r *rig) deliversThroughRedis() *Engine {
	r.t.Helper()
	e := r.start()
	target := r.endpoint("/by-way-of-redis")
	r.receive(20, target)
	r.eventually("all delivered", func() bool { return r.count(target, relay.DeliveryDelivered) == 20 })
	r.eventually("asynq has counted tasks", func() bool {
		n, err := r.redis.Get(r.t.Context(), "asynq:{"+ownQueue(e.owner)+"}:processed").Int()
		return err == nil && n > 0
	})
	if !e.redisOK.Load() {
		r.t.Error("Redis counts as lost")
	}
	return e
}

// TestRedisWithTheRightsOfTheREADME gives the user of Redis only those.
func TestRedisWithTheRightsOfTheREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rule := regexp.MustCompile(`ACL SETUSER reprise on '>password' (.*)`).FindSubmatch(readme)
	if rule == nil {
		t.Fatal("the README has no rule for a user of Redis")
	}
	server := startRedis(t)
	admin := openTestRedis(t, server.URL)
	do(t, admin, "ACL SETUSER reprise on >s3cret "+string(rule[1]))
	r := newRig(t, dbtest.Postgres(t), strings.Replace(server.URL, "redis://", "redis://reprise:s3cret@", 1))
	if warnings, err := CheckRedis(t.Context(), r.redis); err != nil || len(warnings) > 0 {
		t.Errorf("%q, %v", warnings, err)
	}
	e := r.deliversThroughRedis()
	job := r.plan(1000, []*relay.Endpoint{r.endpoint("/replayed")})
	r.launch(job)
	r.becomes(job, relay.ReplayCompleted)
	giveBack, _, err := r.client.Limit.Take(t.Context(), 5, time.Minute, "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	giveBack()
	e.tidyRedis(t.Context())
	r.must(e.Tasks.Drop(t.Context(), ownQueue(1)))
	if refused, err := admin.Do(t.Context(), "ACL", "LOG").Slice(); err != nil || len(refused) > 0 {
		t.Errorf("Redis refused: %v, %v", refused, err)
	}
}

// TestRedisInClusterModeIsRefused asks servers that say that they are part of a
// cluster: without slots, with all of them, and in a database other than 0. They
// passed for good servers until scripts met keys of two slots.
func TestRedisInClusterModeIsRefused(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--cluster-enabled", "yes")
	client := openTestRedis(t, server.URL)
	refused := func(client redis.UniversalClient) {
		t.Helper()
		if _, err := CheckRedis(t.Context(), client); !errors.Is(err, ErrRedisCluster) {
			t.Errorf("it was taken: %v", err)
		}
	}
	refused(client)
	refused(openTestRedis(t, strings.TrimSuffix(server.URL, "/0")+"/3"))
	do(t, client, "CLUSTER ADDSLOTSRANGE 0 16383")
	within(t, time.Minute, "the cluster is up", func() bool { return client.Set(t.Context(), "a", "b", 0).Err() == nil })
	refused(client)
}
