package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/relay"
)

const (
	testURL      = "http://reprise.test"
	testEmail    = "ada@example.com"
	testPassword = "correct horse battery"
)

var system = relay.Actor{Kind: relay.ActorSystem, Name: "test"}

// Passwords cost as little as they can here; what they cost people is measured by
// nobody in these tests.
func init() { hashing.Memory, hashing.Iterations = 64, 1 }

var testHash = sync.OnceValue(func() string {
	hash, err := HashPassword(testPassword)
	if err != nil {
		panic(err)
	}
	return hash
})

// fakeQueue notes what the handlers tell it. Its limits never refill.
type fakeQueue struct {
	mu       sync.Mutex
	nudged   []relay.ID
	received []relay.Event
	taken    map[string]int
	down     error
}

func (q *fakeQueue) Nudge(endpoints ...relay.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.nudged = append(q.nudged, endpoints...)
}

func (q *fakeQueue) Take([]relay.Delivery) *db.Lease { return nil }

func (q *fakeQueue) Dropped([]relay.Delivery) {}

func (q *fakeQueue) Received(ev *relay.Event, _ *relay.Payload, _ []relay.Delivery, _ *db.Lease) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.received = append(q.received, *ev)
}

func (q *fakeQueue) Status(context.Context) (string, error) { return "embedded", q.down }

func (q *fakeQueue) Reserve(_ context.Context, keys []string, rate int, per time.Duration) (func(), time.Duration) {
	add := func(n int) {
		for _, key := range keys {
			q.taken[key] += n
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, key := range keys {
		if q.taken[key] >= rate {
			return nil, per
		}
	}
	add(1)
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		add(-1)
	}, 0
}

// forget makes all limits full again.
func (q *fakeQueue) forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.taken)
}

// count is how many acts were counted under keys that begin so.
func (q *fakeQueue) count(prefix string) (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for key, taken := range q.taken {
		if strings.HasPrefix(key, prefix) {
			n += taken
		}
	}
	return n
}

// tenant is a project with keys and a member.
type tenant struct {
	project     relay.Project
	read, write string
	user        relay.User
}

// world is an app on a database of its own, with two projects that must not
// see each other.
type world struct {
	*App
	t     testing.TB
	url   string // of the database
	queue *fakeQueue
	clock *testClock
	mine  tenant
	other tenant
}

type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, setup(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, setupOn(t, dbtest.Postgres(t)))
	})
}

func setup(t testing.TB, change ...func(*Options)) *world {
	t.Helper()
	return setupOn(t, "sqlite://"+filepath.Join(t.TempDir(), "test.db"), change...)
}

func setupOn(t testing.TB, url string, change ...func(*Options)) *world {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	clock := &testClock{now: time.Now()}
	store, err := db.Open(context.Background(), db.Options{
		URL: url, Key: bytes.Repeat([]byte{7}, 32), Migrate: true, Now: clock.Now, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	queue := &fakeQueue{taken: map[string]int{}}
	o := Options{Store: store, Queue: queue, PublicURL: testURL, ReplaysPerMinute: 10, TestFiresPerMinute: 20, Version: "test", Now: clock.Now, Log: log}
	for _, f := range change {
		f(&o)
	}
	w := &world{App: New(o), t: t, url: url, queue: queue, clock: clock}
	w.mine = w.addTenant("Mine", testEmail)
	w.other = w.addTenant("Theirs", "eve@example.com")
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) addTenant(name, email string) tenant {
	w.t.Helper()
	ctx, now := context.Background(), w.clock.Now()
	out := tenant{project: relay.Project{ID: relay.NewID(), Name: name, CreatedAt: now, UpdatedAt: now}}
	w.must(w.store.CreateProject(ctx, &out.project, relay.ID{}, system))
	out.user = relay.User{ID: relay.NewID(), Email: email, PasswordHash: testHash(), CreatedAt: now}
	w.must(w.store.CreateUser(ctx, &out.user, []relay.ID{out.project.ID}, system))
	for scope, text := range map[relay.Scope]*string{relay.ScopeRead: &out.read, relay.ScopeWrite: &out.write} {
		key, secret, err := w.newKey(out.project.ID, string(scope), scope)
		w.must(err)
		w.must(w.store.CreateKey(ctx, &key, system))
		*text = secret
	}
	return out
}

// answer is what came back.
type answer struct {
	*http.Response
	text string
}

// call makes a request. Headers are name and value pairs; a body that is no
// string or bytes goes as JSON.
func (w *world) call(method, path string, body any, headers ...string) answer {
	w.t.Helper()
	return w.callAt(strings.TrimPrefix(testURL, "http://"), method, path, body, headers...)
}

// callAt is call at another host.
func (w *world) callAt(host, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case []byte:
		reader = bytes.NewReader(b)
	default:
		text, err := json.Marshal(b)
		w.must(err)
		reader = bytes.NewReader(text)
	}
	req := httptest.NewRequest(method, path, reader)
	req.Host = host
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := w.Test(req, -1)
	w.must(err)
	text, err := io.ReadAll(resp.Body)
	w.must(err)
	resp.Request = req
	return answer{resp, string(text)}
}

// api calls as the write key.
func (w *world) api(method, path string, body any, headers ...string) answer {
	w.t.Helper()
	return w.call(method, path, body, append([]string{"Authorization", "Bearer " + w.mine.write, "Content-Type", "application/json"}, headers...)...)
}

type object = map[string]any

// json is the answer as an object, after a check of its status.
func (a answer) json(t testing.TB, status int) object {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", a.StatusCode, status, a.text)
	}
	var out object
	if err := json.Unmarshal([]byte(a.text), &out); err != nil {
		t.Fatalf("%v: %s", err, a.text)
	}
	return out
}

// data is the enveloped object of an answer.
func (a answer) data(t testing.TB, status int) object {
	t.Helper()
	out, ok := a.json(t, status)["data"].(object)
	if !ok {
		t.Fatalf("no object as data: %s", a.text)
	}
	return out
}

// rows is the list of an answer.
func (a answer) rows(t testing.TB) []object {
	t.Helper()
	var rows []object
	for _, row := range a.json(t, 200)["data"].([]any) {
		rows = append(rows, row.(object))
	}
	return rows
}

// problem checks that an answer is a problem of a kind, and gives the names of
// the fields that are at fault.
func (a answer) problem(t testing.TB, status int, code relay.Kind) []string {
	t.Helper()
	out := a.json(t, status)
	if out["code"] != string(code) || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("code %v as %s, want %s: %s", out["code"], a.Header.Get("Content-Type"), code, a.text)
	}
	for _, field := range []string{"type", "title", "detail", "request_id"} {
		if s, ok := out[field].(string); !ok || s == "" {
			t.Errorf("the problem has no %s: %s", field, a.text)
		}
	}
	if out["request_id"] != a.Header.Get("X-Request-Id") || out["status"] != float64(status) {
		t.Errorf("request_id or status do not agree with the answer: %s", a.text)
	}
	var fields []string
	list, _ := out["errors"].([]any)
	for _, f := range list {
		fields = append(fields, f.(object)["field"].(string))
	}
	return fields
}

// logIn is the cookie of a new session.
func (w *world) logIn(email string) string {
	w.t.Helper()
	a := w.call("POST", "/api/v1/session", object{"email": email, "password": testPassword})
	if a.StatusCode != 200 {
		w.t.Fatalf("log-in: %d %s", a.StatusCode, a.text)
	}
	for _, c := range a.Cookies() {
		return c.Name + "=" + c.Value
	}
	w.t.Fatal("no cookie")
	return ""
}

func (w *world) source(fields object) object {
	w.t.Helper()
	in := object{"name": "Orders"}
	for k, v := range fields {
		in[k] = v
	}
	return w.api("POST", "/api/v1/sources", in).data(w.t, 201)
}

func (w *world) endpointFor(fields object) object {
	w.t.Helper()
	in := object{"name": "Shop", "url": "https://shop.example.com/hooks"}
	for k, v := range fields {
		in[k] = v
	}
	return w.api("POST", "/api/v1/endpoints", in).data(w.t, 201)
}

// event posts a webhook to a source and gives the id of the event.
func (w *world) event(source object, body string, headers ...string) string {
	w.t.Helper()
	return w.call("POST", "/in/"+source["slug"].(string), body, headers...).json(w.t, 202)["event_id"].(string)
}

// deliveriesOf are the deliveries of an event, newest first.
func (w *world) deliveriesOf(event string) []object {
	w.t.Helper()
	return w.api("GET", "/api/v1/deliveries?event_id="+event, nil).rows(w.t)
}

// settle records the same outcome for all deliveries that are due, as workers
// would.
func (w *world) settle(status relay.DeliveryStatus, code int) {
	w.t.Helper()
	ctx := context.Background()
	w.clock.advance(time.Millisecond)
	due, err := w.store.DueEndpoints(ctx)
	w.must(err)
	for _, e := range due {
		claims, _, err := w.store.Claim(ctx, db.Lease{Owner: 1, Until: w.clock.Now().Add(time.Minute)},
			db.ClaimRequest{EndpointID: e.EndpointID, Limit: 1000, Lanes: []relay.Lane{e.Lane}})
		w.must(err)
		for i := range claims {
			w.must(w.record(&claims[i], status, code))
		}
	}
}

func (w *world) record(c *db.Claim, status relay.DeliveryStatus, code int) error {
	outcome, fault := relay.Classify(code), ""
	if outcome != relay.OutcomeSuccess {
		fault = "The endpoint answered with an error."
	}
	done := make(chan error, 1)
	w.store.Record(context.Background(), db.Recording{
		Claim: *c, Status: status, Lane: c.Lane, LastError: fault,
		Attempt: relay.Attempt{
			ID: relay.NewID(), ProjectID: c.ProjectID, DeliveryID: c.DeliveryID, EventID: c.EventID, EndpointID: c.EndpointID,
			Number: c.Attempts + 1, Outcome: outcome, StartedAt: w.clock.Now(), Duration: 12500 * time.Microsecond,
			URL: "https://shop.example.com/hooks", RequestHeaders: relay.Headers{{Name: "Authorization", Value: "Bearer canary-secret"}, {Name: "X-Team", Value: "a"}},
			ResponseStatus: code, ResponseHeaders: relay.Headers{{Name: "X-Reply", Value: "1"}, {Name: "X-Reply", Value: "2"}},
			ResponseBody: []byte("the answer"), Error: fault,
		},
	}, func(_ bool, err error) { done <- err })
	return <-done
}
