package db

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

var (
	testKey = bytes.Repeat([]byte{7}, 32)
	system  = relay.Actor{Kind: relay.ActorSystem, Name: "test"}
)

// unlimited is a budget that never ends.
func unlimited(context.Context, []relay.ID) (func(), error) { return func() {}, nil }

// onBoth runs a test on SQLite and on PostgreSQL, each with an empty database.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newWorld(t, sqliteURL(t)))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newWorld(t, dbtest.Postgres(t)))
	})
}

func sqliteURL(t testing.TB) string {
	return "sqlite://" + filepath.Join(t.TempDir(), "reprise.db")
}

// clock is a clock that tests set. It never shows the same time twice, so
// that what is made later sorts later.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now().UTC().Truncate(time.Microsecond)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// world is a store with a project, a source and a clock.
type world struct {
	*Store
	url     string
	clock   *clock
	project relay.ID
	source  *relay.Source
	filled  []relay.ID // two of the events that fill made
}

func openStore(t testing.TB, o sqldb.Options) *Store {
	t.Helper()
	if o.Key == nil {
		o.Key = testKey
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	o.Migrate = true
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

func newWorld(t testing.TB, url string) *world {
	t.Helper()
	c := newClock()
	w := &world{Store: openStore(t, sqldb.Options{URL: url, Now: c.Now}), url: url, clock: c}
	w.project = w.addProject(t)
	w.source = w.addSource(t, w.project)
	return w
}

// beside opens a second store on the same database, as another process would.
func (w *world) beside(t testing.TB) *Store {
	t.Helper()
	return openStore(t, sqldb.Options{URL: w.url, Now: w.clock.Now})
}

func (w *world) addProject(t testing.TB) relay.ID {
	t.Helper()
	now := w.Now()
	p := &relay.Project{ID: relay.NewIDAt(now), Name: "Project", CreatedAt: now, UpdatedAt: now}
	check(t, w.CreateProject(t.Context(), p, relay.ID{}, system))
	return p.ID
}

func (w *world) addSource(t testing.TB, project relay.ID) *relay.Source {
	t.Helper()
	now := w.Now()
	src := &relay.Source{ID: relay.NewIDAt(now), ProjectID: project, Name: "Source", Slug: relay.NewID().Hex(),
		Type: relay.SourceHTTP, Verifier: relay.Verifier{Type: relay.VerifierNoop}, RetentionDays: 30, CreatedAt: now, UpdatedAt: now}
	check(t, w.CreateSource(t.Context(), src, system))
	return src
}

func (w *world) addEndpoint(t testing.TB, change ...func(*relay.Endpoint)) *relay.Endpoint {
	t.Helper()
	now := w.Now()
	e := &relay.Endpoint{ID: relay.NewIDAt(now), ProjectID: w.project, Name: "Endpoint", URL: "https://example.com/hook",
		Status: relay.EndpointActive, Retry: relay.DefaultRetryPolicy(), HTTPTimeout: 15 * time.Second,
		Authentication: relay.Authentication{Type: relay.AuthNone}, CreatedAt: now, UpdatedAt: now,
		Secrets: []relay.Secret{{ID: relay.NewIDAt(now), Value: relay.NewSecret(), CreatedAt: now}}}
	for _, c := range change {
		c(e)
	}
	check(t, w.CreateEndpoint(t.Context(), e, system))
	return e
}

// reception is an event of the world's source for endpoints, due now.
func (w *world) reception(endpoints ...*relay.Endpoint) engine.Reception {
	now := w.Now()
	in := engine.Reception{
		Event: relay.Event{ID: relay.NewIDAt(now), ProjectID: w.project, SourceID: w.source.ID, EventType: "invoice.paid",
			Status: relay.EventForwarding, SignatureValid: true, Verdict: relay.VerdictValid, ContentType: "application/json", ReceivedAt: now},
		Payload: relay.Payload{Method: "POST", IP: "192.0.2.1", Body: []byte(`{"id":1}`),
			Headers: relay.Headers{{Name: "Content-Type", Value: "application/json"}}},
	}
	in.Event.Size = len(in.Payload.Body)
	for _, e := range endpoints {
		in.Payload.Routing = append(in.Payload.Routing, relay.Route{EndpointID: e.ID, Reason: relay.RouteMatched})
		in.Deliveries = append(in.Deliveries, relay.Delivery{ID: relay.NewIDAt(now), ProjectID: w.project, EventID: in.Event.ID,
			EndpointID: e.ID, SourceID: w.source.ID, EventType: in.Event.EventType, Status: relay.DeliveryPending,
			Trigger: relay.TriggerIngest, NextAttemptAt: now, CreatedAt: now})
	}
	if len(endpoints) == 0 {
		in.Event.Status = relay.EventUnmatched
	}
	return in
}

// receive stores an event for endpoints.
func (w *world) receive(t testing.TB, endpoints ...*relay.Endpoint) engine.Reception {
	t.Helper()
	in := w.reception(endpoints...)
	if _, err := w.Receive(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	return in
}

func never() bool { return false }

func prune(t testing.TB, w *world) {
	t.Helper()
	more, err := w.Prune(t.Context(), never)
	check(t, err)
	equal(t, "more to prune", more, false)
}

var everyLane = []relay.Lane{relay.LaneLive, relay.LaneRetry, relay.LaneReplay}

func claimFrom(t testing.TB, s *Store, limit int, endpoints ...*relay.Endpoint) []engine.Claim {
	t.Helper()
	var all []engine.Claim
	for _, e := range endpoints {
		claims, _, err := s.Claim(t.Context(), engine.Lease{Owner: 1, Until: s.Now().Add(time.Minute)}, engine.ClaimRequest{EndpointID: e.ID, Limit: limit, Lanes: everyLane})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, claims...)
	}
	return all
}

// outcome is the recording of a claim that ends in status.
func outcome(s *Store, c engine.Claim, status relay.DeliveryStatus) engine.Recording {
	now := s.Now()
	r := engine.Recording{Claim: c, Status: status, Lane: c.Lane, Attempt: relay.Attempt{
		ID: relay.NewIDAt(now), ProjectID: c.ProjectID, DeliveryID: c.DeliveryID, EventID: c.EventID, EndpointID: c.EndpointID,
		Number: c.Attempts + 1, Outcome: relay.OutcomeSuccess, StartedAt: now, Duration: 20 * time.Millisecond,
		URL: "https://example.com/hook", ResponseStatus: 200, ResponseBody: []byte("ok")}}
	if status != relay.DeliveryDelivered {
		r.Attempt.Outcome, r.Attempt.ResponseStatus, r.LastError = relay.OutcomeStatus, 500, "The endpoint answered 500."
	}
	if !status.Final() {
		r.NextAttemptAt, r.Lane = now.Add(10*time.Second), relay.LaneRetry
	}
	return r
}

func record(t testing.TB, s *Store, r engine.Recording) (stale bool) {
	t.Helper()
	done := make(chan error, 1)
	s.Record(t.Context(), r, func(was bool, err error) { stale = was; done <- err })
	check(t, <-done)
	return stale
}

func (w *world) event(t testing.TB, id relay.ID) relay.Event {
	t.Helper()
	e, err := w.Event(t.Context(), w.project, id)
	check(t, err)
	return e
}

func (w *world) delivery(t testing.TB, id relay.ID) relay.Delivery {
	t.Helper()
	d, err := w.Delivery(t.Context(), w.project, id)
	check(t, err)
	return d
}

func (w *world) attempts(t testing.TB, id relay.ID) []relay.Attempt {
	t.Helper()
	a, err := w.Attempts(t.Context(), id)
	check(t, err)
	return a
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, err error, kind relay.Kind) {
	t.Helper()
	if got := relay.KindOf(err); got != kind {
		t.Errorf("error kind %q, want %q: %v", got, kind, err)
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// eventually waits until a condition holds, ten seconds at most.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// number runs a query that answers with one number.
func number(t testing.TB, s *Store, query string, args ...any) int {
	t.Helper()
	var n int
	check(t, s.R.NewRaw(query, args...).Scan(t.Context(), &n))
	return n
}

// exec runs a statement past the store.
func exec(t testing.TB, s *Store, query string, args ...any) {
	t.Helper()
	check(t, s.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewRaw(query, args...).Exec(ctx)
		return err
	}))
}
