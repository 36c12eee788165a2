package jobs

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestEmbeddedTimePasses(t *testing.T) {
	t.Parallel()
	client := openTestRedis(t, EmbeddedURL)
	client.Set(t.Context(), "k", "v", 500*time.Millisecond)
	if client.Exists(t.Context(), "k").Val() != 1 {
		t.Fatal("not stored")
	}
	eventually(t, "the key expires", func() bool { return client.Exists(t.Context(), "k").Val() == 0 })
}

func TestEmbeddedLeavesNothingBehind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	client, embedded, closeFn, err := OpenRedis(EmbeddedURL)
	if err != nil || !embedded {
		t.Fatal(embedded, err)
	}
	sub := client.Subscribe(context.Background(), "x")
	if _, err := sub.Receive(context.Background()); err != nil {
		t.Fatal(err)
	}
	_ = sub.Close()
	if err := closeFn(); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}

func TestEmbeddedServersAreApart(t *testing.T) {
	t.Parallel()
	a, b := openTestRedis(t, EmbeddedURL), openTestRedis(t, EmbeddedURL)
	a.Set(t.Context(), "k", "v", 0)
	if err := b.Get(t.Context(), "k").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("the other server answers %v", err)
	}
}
