package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// sink counts what arrives: by event, and by body.
type sink struct {
	*httptest.Server
	mu     sync.Mutex
	events map[string]int
	bodies map[[32]byte]int
	hold   chan struct{} // requests wait for it to close, if set
	answer int
	total  atomic.Int64
}

func newSink(t *testing.T) *sink {
	s := &sink{events: map[string]int{}, bodies: map[[32]byte]int{}, answer: http.StatusOK}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.events[r.Header.Get("Webhook-Id")]++
		s.bodies[sha256.Sum256(body)]++
		hold, answer := s.hold, s.answer
		s.mu.Unlock()
		s.total.Add(1)
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		w.WriteHeader(answer)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sink) seen(event string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events[event]
}

// load posts events until stopped, and remembers those that were accepted.
type load struct {
	mu       sync.Mutex
	accepted map[string][]byte
	stop     chan struct{}
	wait     sync.WaitGroup
}

func startLoad(target string, workers int) *load {
	l := &load{accepted: map[string][]byte{}, stop: make(chan struct{})}
	for w := range workers {
		l.wait.Go(func() {
			client := &http.Client{Timeout: 10 * time.Second}
			for i := 0; ; i++ {
				select {
				case <-l.stop:
					return
				default:
				}
				body := fmt.Sprintf(`{"type":"crash.test","worker":%d,"n":%d,"pad":"%s"}`, w, i, strings.Repeat("x", i%700))
				resp, err := client.Post(target, "application/json", strings.NewReader(body))
				if err != nil {
					<-time.After(5 * time.Millisecond) // the program is down
					continue
				}
				var got struct {
					EventID string `json:"event_id"`
				}
				err = json.NewDecoder(resp.Body).Decode(&got)
				_ = resp.Body.Close()
				if err == nil && resp.StatusCode == http.StatusAccepted {
					l.mu.Lock()
					l.accepted[got.EventID] = []byte(body)
					l.mu.Unlock()
				}
			}
		})
	}
	return l
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.accepted)
}

func (l *load) end() map[string][]byte {
	close(l.stop)
	l.wait.Wait()
	return l.accepted
}

func TestKilledWhileReceiving(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		sink := newSink(t)
		p.start()
		target := p.source("crash")
		p.endpoint(sink.URL, nil)
		flushed := p.flushRedis()
		l := startLoad(target, 8)
		for round := range 6 {
			want := (round + 1) * 60
			p.eventually("more was accepted", func() bool { return l.count() >= want })
			p.kill()
			p.start()
		}
		accepted := l.end()
		flushed()
		p.eventually("everything that was accepted arrived", func() bool {
			for id := range accepted {
				if sink.seen(id) == 0 {
					return false
				}
			}
			return true
		})
		sink.mu.Lock()
		for id, body := range accepted {
			if sink.bodies[sha256.Sum256(body)] == 0 {
				t.Errorf("the body of %s did not arrive as it was sent", id)
			}
		}
		sink.mu.Unlock()
		p.eventually("every delivery has ended", func() bool { return len(p.list("/deliveries?status=pending")) == 0 })
		stored := map[string]string{}
		for _, e := range p.list("/events") {
			stored[e.ID] = e.Status
		}
		for id := range accepted {
			if stored[id] != "delivered" {
				t.Errorf("event %s was accepted and is %q", id, stored[id])
			}
		}
	})
}

// flushRedis empties Redis again and again until the returned function is called.
func (p *program) flushRedis() (stop func()) {
	var url string
	for _, e := range p.env {
		if after, ok := strings.CutPrefix(e, "REDIS_URL="); ok {
			url = after
		}
	}
	if url == "" {
		return func() {}
	}
	o, err := redis.ParseURL(url)
	if err != nil {
		p.t.Fatal(err)
	}
	client := redis.NewClient(o)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(150 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				if err := client.FlushDB(p.t.Context()).Err(); err != nil {
					p.t.Errorf("flushing Redis: %v", err)
					return
				}
			}
		}
	}()
	return func() { close(end); <-ended; _ = client.Close() }
}

func TestKilledWhileDelivering(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		sink := newSink(t)
		hold := make(chan struct{})
		sink.hold = hold
		p.start()
		target := p.source("held")
		p.endpoint(sink.URL, nil)
		for i := range 40 {
			resp, err := http.Post(target, "text/plain", strings.NewReader(fmt.Sprint(i)))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
		p.eventually("some are under way", func() bool { return sink.total.Load() >= 1 })
		p.kill()
		sink.mu.Lock()
		sink.hold = nil
		sink.mu.Unlock()
		close(hold)
		if !p.alone() {
			// Another process might hold them, so they wait for their leases.
			p.env = append(p.env, "REPRISE_RETRY_SCALE=0.001")
		}
		p.start()
		p.eventually("all are delivered", func() bool { return len(p.list("/deliveries?status=delivered")) == 40 })
		for _, d := range p.list("/deliveries") {
			if n := sink.seen(d.EventID); n < 1 || n > 2 {
				t.Errorf("event %s arrived %d times", d.EventID, n)
			}
		}
	})
}

// alone reports whether the program uses the embedded Redis.
func (p *program) alone() bool { return !strings.Contains(strings.Join(p.env, " "), "REDIS_URL=redis") }

func TestKilledWhileReplaying(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		sink := newSink(t)
		p.start()
		target := p.source("again")
		p.endpoint(sink.URL, nil)
		resp, err := http.Post(target, "application/json", strings.NewReader(`{"type":"a"}`))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		p.eventually("delivered once", func() bool { return len(p.list("/deliveries?status=delivered")) == 1 })
		event := p.list("/events")[0].ID
		accepted := 0
		for range 4 {
			var calls sync.WaitGroup
			var ok atomic.Int64
			for range 6 {
				calls.Go(func() {
					if status, err := p.tryCall("POST", "/events/"+event+"/replay", nil, nil); err == nil && status == http.StatusAccepted {
						ok.Add(1)
					}
				})
			}
			p.eventually("one was accepted", func() bool { return ok.Load() > 0 })
			p.kill()
			calls.Wait()
			accepted += int(ok.Load())
			p.start()
		}
		p.eventually("all replays are delivered", func() bool {
			return len(p.list("/deliveries?status=pending"))+len(p.list("/deliveries?status=retrying")) == 0
		})
		// Of calls that got no answer some may have been committed.
		if n := len(p.list("/deliveries?status=delivered")); n < accepted+1 || n > 25 {
			t.Errorf("%d deliveries, after one and %d accepted replays", n, accepted)
		}
		if n := sink.seen(event); n < accepted+1 {
			t.Errorf("the event arrived %d times", n)
		}
	})
}

func TestStoppedUnderLoad(t *testing.T) {
	onBackends(t, func(t *testing.T, p *program) {
		sink := newSink(t)
		p.start()
		target := p.source("stop")
		p.endpoint(sink.URL, nil)
		l := startLoad(target, 8)
		p.eventually("some were accepted", func() bool { return l.count() >= 200 })
		if code := p.stop(); code != 0 {
			t.Errorf("exit status %d", code)
		}
		accepted := l.end()
		p.start()
		p.eventually("everything arrived", func() bool {
			for id := range accepted {
				if sink.seen(id) == 0 {
					return false
				}
			}
			return true
		})
		for id := range accepted {
			if n := sink.seen(id); n != 1 {
				t.Errorf("event %s arrived %d times in spite of an orderly stop", id, n)
			}
		}
	})
}

func TestASecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	p := newProgram(t)
	p.start()
	second := p.command("serve")
	second.Env = append(append([]string{}, p.env...), "REPRISE_ADDR=127.0.0.1:0")
	if err := second.Run(); err == nil {
		t.Fatal("the second process ended well")
	}
	if said := p.log.String(); !strings.Contains(said, "another Reprise process is using this SQLite database") {
		t.Errorf("it said: %s", said)
	}
	if out, err := p.command("projects", "list").Output(); err != nil || !strings.Contains(string(out), "prj_") {
		t.Errorf("a command beside the server: %s, %v", out, err)
	}
}
