package jobs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/jobs/send"
	"github.com/reprise-dev/reprise/relay"
)

// rig is a store, an engine and a receiver that counts what arrives.
type rig struct {
	t       testing.TB
	store   *db.Store
	clock   *shifted
	redis   redis.UniversalClient
	url     string // of the database
	project relay.ID
	source  *relay.Source
	sink    *sink
	client  *Client
	engine  *Engine
	alone   bool
}

// shifted is a clock that goes as all clocks do, but that a test can put
// forward.
type shifted struct{ by atomic.Int64 }

func (c *shifted) Now() time.Time { return time.Now().Add(time.Duration(c.by.Load())) }

func (c *shifted) advance(d time.Duration) { c.by.Add(int64(d)) }

func openStore(t testing.TB, database string, clock *shifted) *db.Store {
	t.Helper()
	store, err := db.Open(t.Context(), db.Options{URL: database, Key: make([]byte, 32), Migrate: true, Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// sink is a receiver whose answers a test scripts.
type sink struct {
	*httptest.Server
	mu     sync.Mutex
	got    []hit
	answer func(w http.ResponseWriter, r *http.Request, earlier int)
	now    int // requests under way
	most   int
}

type hit struct {
	event, delivery, attempt, path string
	at                             time.Time
	header                         http.Header
}

func newSink(t testing.TB) *sink {
	s := &sink{answer: func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusNoContent) }}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		s.mu.Lock()
		s.now++
		s.most = max(s.most, s.now)
		id := r.Header.Get("X-Reprise-Delivery-Id")
		earlier := 0
		for _, h := range s.got {
			if h.delivery == id {
				earlier++
			}
		}
		s.got = append(s.got, hit{r.Header.Get("Webhook-Id"), id, r.Header.Get("X-Reprise-Attempt"), r.URL.Path, time.Now(), r.Header.Clone()})
		answer := s.answer
		s.mu.Unlock()
		answer(w, r, earlier)
		s.mu.Lock()
		s.now--
		s.mu.Unlock()
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sink) script(answer func(w http.ResponseWriter, r *http.Request, earlier int)) {
	s.mu.Lock()
	s.answer = answer
	s.mu.Unlock()
}

func (s *sink) hits(path string) []hit {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []hit
	for _, h := range s.got {
		if path == "" || h.path == path {
			out = append(out, h)
		}
	}
	return out
}

// onEveryTransport runs a test on SQLite with the embedded Redis and on
// PostgreSQL with a real one.
func onEveryTransport(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, newRig(t, "sqlite://"+filepath.Join(t.TempDir(), "r.db"), "embedded"))
	})
	t.Run("servers", func(t *testing.T) {
		t.Parallel()
		test(t, newRig(t, dbtest.Postgres(t), dbtest.Redis(t)))
	})
}

func newRig(t testing.TB, database, redisURL string) *rig {
	t.Helper()
	clock := &shifted{}
	store := openStore(t, database, clock)
	client, embedded, closeRedis, err := OpenRedis(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closeRedis() })
	r := &rig{t: t, store: store, clock: clock, redis: client, url: database, sink: newSink(t), alone: embedded}
	project, err := store.DefaultProject(t.Context())
	r.must(err)
	r.project = project.ID
	now := store.Now()
	r.source = &relay.Source{ID: relay.NewIDAt(now), ProjectID: r.project, Name: "s", Slug: "s-" + relay.NewID().Hex(), Type: relay.SourceHTTP,
		Verifier: relay.Verifier{Type: relay.VerifierNoop}, RetentionDays: 30, CreatedAt: now, UpdatedAt: now}
	r.must(store.CreateSource(t.Context(), r.source, relay.Actor{Kind: relay.ActorSystem}))
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// start runs an engine on the rig until the test ends or stop is called.
func (r *rig) start(change ...func(*EngineOptions)) *Engine {
	r.t.Helper()
	log := slog.New(slog.NewTextHandler(r.t.Output(), nil))
	o := EngineOptions{
		Now: r.clock.Now, Store: r.store, Tasks: NewTasks(r.redis, r.alone, log), Alone: r.alone, RetryScale: 0.001,
		Send: send.New(send.Options{Egress: relay.EgressPolicy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}),
		Log:  log,
	}
	for _, c := range change {
		c(&o)
	}
	e := NewEngine(o)
	r.must(e.Start(r.t.Context()))
	r.engine = e
	r.client = NewClient(r.store, r.redis, r.alone, o.Tasks)
	r.client.Engine = e
	r.store.OnReplay(r.client.ReplayChanged)
	var once sync.Once
	stop := func() { once.Do(func() { e.Stop(20 * time.Second) }) }
	r.t.Cleanup(stop)
	return e
}

func (r *rig) endpoint(path string, change ...func(*relay.Endpoint)) *relay.Endpoint {
	r.t.Helper()
	now := r.store.Now()
	e := &relay.Endpoint{ID: relay.NewIDAt(now), ProjectID: r.project, Name: path, URL: r.sink.URL + path, Status: relay.EndpointActive,
		Secrets: []relay.Secret{{ID: relay.NewID(), Value: relay.NewSecret(), CreatedAt: now}}, Retry: relay.DefaultRetryPolicy(),
		HTTPTimeout: 5 * time.Second, Authentication: relay.Authentication{Type: relay.AuthNone}, CreatedAt: now, UpdatedAt: now}
	for _, c := range change {
		c(e)
	}
	r.must(r.store.CreateEndpoint(r.t.Context(), e, relay.Actor{Kind: relay.ActorSystem}))
	return e
}

// receive commits n events for endpoints, as ingest does.
func (r *rig) receive(n int, endpoints ...*relay.Endpoint) []relay.ID {
	r.t.Helper()
	ids := make([]relay.ID, n)
	gate := make(chan struct{}, 64)
	var all sync.WaitGroup
	for i := range n {
		gate <- struct{}{}
		all.Go(func() {
			defer func() { <-gate }()
			ids[i] = r.receiveOne(fmt.Sprintf(`{"n":%d}`, i), endpoints...)
		})
	}
	all.Wait()
	return ids
}

func (r *rig) receiveOne(body string, endpoints ...*relay.Endpoint) relay.ID {
	now := r.store.Now()
	ev := relay.Event{ID: relay.NewIDAt(now), ProjectID: r.project, SourceID: r.source.ID, EventType: "test.event",
		Status: relay.EventForwarding, SignatureValid: true, Verdict: relay.VerdictUnverified,
		ContentType: "application/json", Size: len(body), ReceivedAt: now}
	payload := relay.Payload{Method: "POST", Headers: relay.Headers{{Name: "Content-Type", Value: "application/json"}}, Body: []byte(body)}
	var deliveries []relay.Delivery
	for _, e := range endpoints {
		deliveries = append(deliveries, relay.Delivery{ID: relay.NewIDAt(now), ProjectID: r.project, EventID: ev.ID, EndpointID: e.ID,
			SourceID: r.source.ID, EventType: ev.EventType, Status: relay.DeliveryPending, NextAttemptAt: now,
			Trigger: relay.TriggerIngest, CreatedAt: now})
	}
	var lease *db.Lease
	if r.client != nil {
		lease = r.client.Take(deliveries)
	}
	got, err := r.store.Receive(r.t.Context(), db.Reception{Event: ev, Payload: payload, Deliveries: deliveries, Lease: lease})
	if err != nil {
		r.t.Error(err)
		return relay.ID{}
	}
	if r.client != nil {
		r.client.Received(&got, &payload, deliveries, lease)
	}
	return got.ID
}

// eventually polls until ok, for as long as a slow machine may need.
func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	within(r.t, 60*time.Second, what, ok)
}

// eventually is for what takes moments everywhere.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	within(t, 5*time.Second, what, ok)
}

func within(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// count is how many of an endpoint's deliveries have a status.
func (r *rig) count(e *relay.Endpoint, status relay.DeliveryStatus) int {
	r.t.Helper()
	n, err := r.store.CountDeliveries(context.WithoutCancel(r.t.Context()), r.project, db.DeliveryFilter{EndpointID: e.ID, Status: status}, 1_000_000)
	r.must(err)
	return n
}
