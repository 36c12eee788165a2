package main

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/dbtest"
)

// TestRedisAnswersSlowly has each answer of Redis take five seconds. Receiving takes as
// long as before, deliveries go out, nothing piles up, and when Redis is quick again it
// is used.
func TestRedisAnswersSlowly(t *testing.T) {
	t.Parallel()
	redisURL := dbtest.Redis(t)
	host := strings.TrimPrefix(redisURL, "redis://")
	host, number, _ := strings.Cut(host, "/")
	proxy := startSlowProxy(t, host)
	p := newProgram(t, "DATABASE_URL="+dbtest.Postgres(t), "REDIS_URL=redis://"+proxy.addr+"/"+number)
	p.start()
	sink := newSink(t)
	target := p.source("slow")
	p.endpoint(sink.URL, nil)
	var sent int64
	// median is how long receiving takes.
	median := func(n int) time.Duration {
		var took []time.Duration
		for range n {
			began := time.Now()
			if status := post(t, target, `{"type":"a"}`, nil); status != http.StatusAccepted {
				t.Fatalf("receiving answers %d", status)
			}
			took = append(took, time.Since(began))
			sent++
		}
		slices.Sort(took)
		return took[n/2]
	}
	before := median(100)
	p.eventually("all arrive", func() bool { return sink.total.Load() == sent })

	proxy.slow.Store(true)
	p.eventually("it says so", func() bool { return strings.Contains(p.log.String(), "Redis cannot be used") })
	during := median(100)
	if during > 5*before+20*time.Millisecond {
		t.Errorf("receiving took %s before and takes %s", before, during)
	}
	client := &http.Client{Timeout: 20 * time.Second}
	routines := p.metric(client, "go_goroutines")
	for range 3 {
		median(50)
		<-time.After(time.Second)
	}
	if now := p.metric(client, "go_goroutines"); now > routines+60 {
		t.Errorf("there were %.0f goroutines, and some seconds later %.0f", routines, now)
	}
	began := time.Now()
	p.eventually("all arrive", func() bool { return sink.total.Load() == sent })
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the last deliveries arrived %s later", took)
	}
	t.Logf("receiving %s, %s; goroutines %.0f, %.0f", before, during, routines, p.metric(client, "go_goroutines"))

	proxy.slow.Store(false)
	p.eventually("Redis is used again", func() bool { return strings.Contains(p.log.String(), "Redis can be used again") })
	if status := p.stop(); status != 0 {
		t.Errorf("it ended with %d", status)
	}
}

// slowProxy passes connections on, and makes each answer wait while it is slow.
type slowProxy struct {
	addr string
	slow atomic.Bool
}

func startSlowProxy(t *testing.T, to string) *slowProxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	proxy := &slowProxy{addr: ln.Addr().String()}
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go proxy.answer(in, out)
		}
	}()
	return proxy
}

func (s *slowProxy) answer(in, out net.Conn) {
	defer func() { _ = in.Close() }()
	room := make([]byte, 64<<10)
	for {
		n, err := out.Read(room)
		if s.slow.Load() {
			<-time.After(5 * time.Second)
		}
		if _, werr := in.Write(room[:n]); err != nil || werr != nil {
			return
		}
	}
}
