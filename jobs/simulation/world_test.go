package simulation

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
)

var tester = relay.Actor{Kind: relay.ActorSystem, Name: "simulation"}

// world is everything outside the processes, and what is known of it.
type world struct {
	t          *testing.T
	seed       uint64
	began      time.Time
	file       string // of the database
	sql        *sql.DB
	broker     *broker
	planAtOnce time.Duration
	project    relay.ID
	source     relay.ID
	targets    []*target
	processes  []*process
	receivers  receivers
	started    int             // processes so far
	planned    int             // replay jobs so far
	retried    map[string]bool // deliveries whose attempts are counted anew
	pending    []pending
	story      story

	noDatabase, noRedis atomic.Bool
	settled             atomic.Bool  // nothing fails any more
	losing              atomic.Int64 // that many answers to commits are lost of a thousand

	mu       sync.Mutex
	dice     *rand.Rand
	accepted map[relay.ID]map[relay.ID]bool // events, and the endpoints that each goes to
	troubles []trouble
	stopped  map[string]time.Time // deliveries and endpoints that nothing is to be sent of
}

// trouble is a time in which something fails, for one process or for all.
type trouble struct {
	process  *process // nil: all
	from, to time.Time
}

// target is an endpoint and how it behaves.
type target struct {
	*relay.Endpoint
	usual func(roll func(int) int) answer
}

func (w *world) roll(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dice.IntN(n)
}

// delay makes one in so many accesses slow.
func (w *world) delay() {
	if w.roll(40) == 0 {
		<-time.After(time.Duration(1+w.roll(30)) * time.Millisecond)
	}
}

func (w *world) losesAnswer() bool {
	return w.losing.Load() > 0 && w.roll(1000) < int(w.losing.Load())
}

func (w *world) must(err error) {
	if err != nil {
		w.t.Helper()
		w.broken("%v", err)
		w.t.FailNow()
	}
}

// broken says what does not hold, and what happened before.
func (w *world) broken(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("seed %d, after %s: %s\n%s", w.seed, time.Since(w.began).Round(time.Millisecond), fmt.Sprintf(format, args...), w.story.String())
}

// story is what happened so far.
type story struct {
	mu sync.Mutex
	strings.Builder
}

func (s *story) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Builder.Write(b)
}

func (w *world) tell(format string, args ...any) {
	fmt.Fprintf(&w.story, "%8s %s\n", time.Since(w.began).Round(time.Millisecond), fmt.Sprintf(format, args...))
}

// trouble notes that something fails, for a process or for all, until the
// function that it answers is called.
func (w *world) trouble(p *process, what string) (over func()) {
	name := "all"
	if p != nil {
		name = p.name
	}
	w.tell("%s: %s", name, what)
	w.mu.Lock()
	defer w.mu.Unlock()
	i := len(w.troubles)
	w.troubles = append(w.troubles, trouble{process: p, from: time.Now(), to: time.Now().Add(time.Hour)})
	return func() {
		w.tell("%s: %s is over", name, what)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.troubles[i].to = time.Now()
	}
}

// emptyDatabase is a file with nothing in it but the schema.
func emptyDatabase(t *testing.T) []byte {
	file := filepath.Join(t.TempDir(), "reprise.db")
	store, err := db.Open(t.Context(), db.Options{URL: "sqlite://" + file, Key: make([]byte, 32), Migrate: true})
	if err == nil {
		err = store.Close()
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(file)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newWorld makes the database, two processes and five endpoints.
func newWorld(t *testing.T, seed uint64, empty []byte) *world {
	w := &world{t: t, seed: seed, began: time.Now(), dice: rand.New(rand.NewPCG(seed, 0)), accepted: map[relay.ID]map[relay.ID]bool{}, retried: map[string]bool{},
		stopped: map[string]time.Time{}}
	w.broker = newBroker(w)
	w.receivers.broken, w.receivers.hanging = map[relay.ID]bool{}, map[relay.ID]bool{}
	w.file = filepath.Join(t.TempDir(), "reprise.db")
	if w.roll(2) == 0 {
		w.planAtOnce = -1
	}
	w.must(os.WriteFile(w.file, empty, 0o600))
	var err error
	w.sql, err = sql.Open("sqlite", "file:"+w.file+"?_pragma=query_only(1)&_pragma=busy_timeout(5000)")
	w.must(err)
	ctx := context.Background()
	store, err := db.Open(ctx, db.Options{URL: "sqlite://" + w.file, Key: make([]byte, 32)})
	w.must(err)
	project, err := store.DefaultProject(ctx)
	w.must(err)
	w.project, w.source = project.ID, relay.NewID()
	now := store.Now()
	w.must(store.CreateSource(ctx, &relay.Source{ID: w.source, ProjectID: w.project, Name: "s", Slug: "s", Type: relay.SourceHTTP,
		Verifier: relay.Verifier{Type: relay.VerifierNoop}, RetentionDays: 30, CreatedAt: now, UpdatedAt: now}, tester))
	for _, target := range w.endpoints() {
		w.targets = append(w.targets, target)
		w.must(store.CreateEndpoint(ctx, target.Endpoint, tester))
	}
	w.must(store.Close())
	for range 2 {
		w.begin()
	}
	return w
}

// begin starts a process, as often as it needs; one in four only receives, if
// there is another that works.
func (w *world) begin() {
	w.started++
	works := w.roll(4) > 0 || !slices.ContainsFunc(w.processes, func(p *process) bool { return p.engine != nil })
	name := fmt.Sprintf("%s %d", map[bool]string{true: "serve", false: "web"}[works], w.started)
	p, err := w.startProcess(name, works)
	if err != nil {
		w.tell("%s does not start: %v", name, err)
		w.pending = append(w.pending, pending{time.Now().Add(time.Second), w.begin})
		return
	}
	w.tell("%s starts", name)
	w.processes = append(w.processes, p)
}

// endpoints are one that is quick, one that fails, one that is slow, one with a
// bound in flight and one with a rate.
func (w *world) endpoints() []*target {
	usual := func(after time.Duration, failing int) func(func(int) int) answer {
		return func(roll func(int) int) answer {
			a := answer{after: after/2 + time.Duration(roll(int(after))), status: http.StatusOK}
			if roll(100) < failing {
				a.status = http.StatusInternalServerError
			}
			return a
		}
	}
	make := func(name string, answers func(func(int) int) answer, change func(*relay.Endpoint)) *target {
		now := time.Now()
		e := &relay.Endpoint{ID: relay.NewIDAt(now), ProjectID: w.project, Name: name, URL: "https://example.com/" + name, Status: relay.EndpointActive,
			Secrets: []relay.Secret{{ID: relay.NewID(), Value: relay.NewSecret(), CreatedAt: now}}, Retry: relay.DefaultRetryPolicy(),
			HTTPTimeout: 5 * time.Second, Authentication: relay.Authentication{Type: relay.AuthNone}, CreatedAt: now, UpdatedAt: now}
		change(e)
		return &target{e, answers}
	}
	return []*target{
		make("quick", usual(10*time.Millisecond, 0), func(*relay.Endpoint) {}),
		make("failing", usual(20*time.Millisecond, 40), func(*relay.Endpoint) {}),
		make("slow", usual(3*time.Second, 5), func(*relay.Endpoint) {}),
		make("bound", usual(200*time.Millisecond, 5), func(e *relay.Endpoint) { e.MaxInFlight = 2 }),
		make("rated", usual(20*time.Millisecond, 5), func(e *relay.Endpoint) { e.RateLimit, e.RateLimitDuration = rated, time.Second }),
	}
}

// rated is how many a second the endpoint with a rate takes.
const rated = 5

func (w *world) target(id relay.ID) *target {
	for _, t := range w.targets {
		if t.ID == id {
			return t
		}
	}
	w.t.Fatalf("a request to an endpoint that nobody made: %s", id.Hex())
	return nil
}

func (t *target) answer(w *world) answer {
	w.receivers.mu.Lock()
	broken, hanging := w.receivers.broken[t.ID], w.receivers.hanging[t.ID]
	w.receivers.mu.Unlock()
	switch {
	case hanging:
		return answer{after: time.Hour, status: http.StatusOK}
	case broken:
		return answer{after: time.Millisecond, status: http.StatusInternalServerError}
	}
	return t.usual(w.roll)
}

// end stops everything that still runs.
func (w *world) end() {
	for _, p := range w.processes {
		p.stop(time.Minute)
		p.ended.Wait()
	}
	_ = w.sql.Close()
	synctest.Wait()
}
