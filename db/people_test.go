package db

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

func (w *world) user(email string) *relay.User {
	now := w.Now()
	return &relay.User{ID: relay.NewIDAt(now), Email: email, PasswordHash: "$argon2id$?", CreatedAt: now}
}

func TestUsers(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		u := w.user("Ann@Example.com")
		check(t, w.CreateUser(t.Context(), u, []relay.ID{w.project}, system))
		wantKind(t, w.CreateUser(t.Context(), w.user("ANN@example.com"), nil, system), relay.KindConflict)
		got, err := w.UserByEmail(t.Context(), "aNN@example.com")
		check(t, err)
		if diff := cmp.Diff(*u, got); diff != "" {
			t.Error(diff)
		}
		_, err = w.UserByEmail(t.Context(), "bob\x00@example.com")
		wantKind(t, err, relay.KindNotFound)
		_, err = w.User(t.Context(), relay.NewID())
		wantKind(t, err, relay.KindNotFound)
		check(t, w.SetPassword(t.Context(), u.ID, "new", system))
		check(t, w.TouchLogin(t.Context(), u.ID))
		wantKind(t, w.SetPassword(t.Context(), relay.NewID(), "new", system), relay.KindNotFound)
		got, err = w.User(t.Context(), u.ID)
		check(t, err)
		if got.PasswordHash != "new" || got.LastLoginAt.IsZero() {
			t.Errorf("got %+v", got)
		}
		other := w.addProject(t)
		for project, want := range map[relay.ID]bool{w.project: true, other: false} {
			member, err := w.MemberOf(t.Context(), u.ID, project)
			check(t, err)
			equal(t, "member", member, want)
		}
		mine, err := w.ProjectsOf(t.Context(), u.ID)
		check(t, err)
		if len(mine) != 1 || mine[0].ID != w.project {
			t.Errorf("projects: %+v", mine)
		}
	})
}

func TestOneFirstUser(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		w := &world{Store: openStore(t, sqldb.Options{URL: url})}
		var wait sync.WaitGroup
		var won, lost atomic.Int32
		for i := range 10 {
			wait.Go(func() {
				err := w.CreateFirstUser(t.Context(), w.user(fmt.Sprintf("u%d@example.com", i)), "Acme", system)
				switch relay.KindOf(err) {
				case "":
					won.Add(1)
				case relay.KindConflict:
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wait.Wait()
		equal(t, "winners", won.Load(), 1)
		equal(t, "losers", lost.Load(), 9)
		n, err := w.UserCount(t.Context())
		check(t, err)
		equal(t, "users", n, 1)
		projects, err := w.Projects(t.Context())
		check(t, err)
		if len(projects) != 1 || projects[0].Name != "Acme" {
			t.Errorf("projects: %+v", projects)
		}
	})
}

func TestProjects(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		first, err := w.DefaultProject(t.Context())
		check(t, err)
		equal(t, "the oldest", first.ID, w.project)
		owner, now := w.user("o@example.com"), w.Now()
		check(t, w.CreateUser(t.Context(), owner, nil, system))
		p := &relay.Project{ID: relay.NewIDAt(now), Name: "Mine?", CreatedAt: now, UpdatedAt: now}
		check(t, w.CreateProject(t.Context(), p, owner.ID, system))
		mine, err := w.ProjectsOf(t.Context(), owner.ID)
		check(t, err)
		if diff := cmp.Diff([]relay.Project{*p}, mine); diff != "" {
			t.Error(diff)
		}
		updated, err := w.UpdateProject(t.Context(), p.ID, system, func(p *relay.Project) error { p.Name = "Yours"; return nil })
		check(t, err)
		got, err := w.Project(t.Context(), p.ID)
		check(t, err)
		equal(t, "project", got, updated)
		equal(t, "name", got.Name, "Yours")
		refusal := relay.Invalid(relay.FieldError{Field: "name", Message: "no"})
		_, err = w.UpdateProject(t.Context(), p.ID, system, func(*relay.Project) error { return refusal })
		wantKind(t, err, relay.KindValidation)
		_, err = w.UpdateProject(t.Context(), relay.NewID(), system, func(*relay.Project) error { return nil })
		wantKind(t, err, relay.KindNotFound)
		_, err = w.Project(t.Context(), relay.NewID())
		wantKind(t, err, relay.KindNotFound)
	})
}

func TestSessions(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		s := w.Sessions()
		find := func(token string) (string, bool) {
			t.Helper()
			data, found, err := s.FindCtx(t.Context(), token)
			check(t, err)
			return string(data), found
		}
		_, found := find("a")
		equal(t, "before", found, false)
		check(t, s.Commit("a", []byte("\x00one"), w.Now().Add(time.Hour)))
		w.clock.advance(50 * time.Minute)
		check(t, s.CommitCtx(t.Context(), "a", []byte("two"), w.Now().Add(time.Hour)))
		w.clock.advance(50 * time.Minute)
		data, found := find("a")
		if !found || data != "two" {
			t.Errorf("the second commit: %q, %v", data, found)
		}
		check(t, s.Commit("b", nil, w.Now().Add(2*time.Hour)))
		w.clock.advance(time.Hour)
		_, found = find("a")
		equal(t, "after its expiry", found, false)
		prune(t, w)
		equal(t, "sessions", number(t, w.Store, "SELECT count(*) FROM sessions"), 1)
		check(t, s.Delete("b"))
		check(t, s.Delete("b"))
		_, found, err := s.Find("b")
		check(t, err)
		equal(t, "after deleting", found, false)
	})
}

func (w *world) key(name string) (*relay.APIKey, string) {
	text, now := relay.NewAPIKey(), w.Now()
	return &relay.APIKey{ID: relay.NewIDAt(now), ProjectID: w.project, Name: name, Scope: relay.ScopeWrite, CreatedAt: now,
		Hint: relay.HintAPIKey(text), Hash: relay.HashAPIKey(text)}, text
}

func TestKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		k, text := w.key("ci")
		check(t, w.CreateKey(t.Context(), k, system))
		if strings.Contains(k.Hint, text) || len(k.Hint) > 16 {
			t.Errorf("hint %q", k.Hint)
		}
		for range 2 {
			got, err := w.KeyByHash(t.Context(), relay.HashAPIKey(text))
			check(t, err)
			if diff := cmp.Diff(*k, got); diff != "" {
				t.Error(diff)
			}
		}
		_, err := w.KeyByHash(t.Context(), relay.HashAPIKey(text+"x"))
		wantKind(t, err, relay.KindNotFound)
		again := *k
		again.ID = relay.NewID()
		check(t, w.EnsureKey(t.Context(), &again, system))
		w.TouchKey(t.Context(), k.ID)
		w.TouchKey(t.Context(), k.ID)
		eventually(t, "the use is noted", func() bool {
			keys, err := w.Keys(t.Context(), w.project, sqldb.Page{})
			check(t, err)
			return len(keys.Rows) == 1 && !keys.Rows[0].LastUsedAt.IsZero()
		})
		other := w.beside(t)
		_, err = other.KeyByHash(t.Context(), k.Hash)
		check(t, err)
		foreign := w.addProject(t)
		wantKind(t, w.RevokeKey(t.Context(), foreign, k.ID, system), relay.KindNotFound)
		check(t, w.RevokeKey(t.Context(), w.project, k.ID, system))
		wantKind(t, w.RevokeKey(t.Context(), w.project, k.ID, system), relay.KindConflict)
		_, err = w.KeyByHash(t.Context(), k.Hash)
		wantKind(t, err, relay.KindNotFound)
		eventually(t, "the other process learns of it", func() bool {
			_, err := other.KeyByHash(t.Context(), k.Hash)
			return relay.KindOf(err) == relay.KindNotFound
		})
		keys, err := w.Keys(t.Context(), w.project, sqldb.Page{})
		check(t, err)
		if len(keys.Rows) != 1 || keys.Rows[0].RevokedAt.IsZero() {
			t.Errorf("keys: %+v", keys.Rows)
		}
	})
}

func TestIdempotency(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		caller, other := relay.NewID(), relay.NewID()
		begin := func(caller relay.ID, key, hash string) (*settings.StoredResponse, relay.Kind) {
			t.Helper()
			stored, err := w.BeginIdempotent(t.Context(), caller, key, []byte(hash))
			return stored, relay.KindOf(err)
		}
		begun := func(what string, caller relay.ID, key, hash string) {
			t.Helper()
			if stored, kind := begin(caller, key, hash); stored != nil || kind != "" {
				t.Errorf("%s: %v, %q", what, stored, kind)
			}
		}
		begun("the first", caller, "k\x00?", "h")
		_, kind := begin(caller, "k\x00?", "h")
		equal(t, "while it runs", kind, relay.KindConflict)
		_, kind = begin(caller, "k\x00?", "other")
		equal(t, "another request with the key", kind, relay.KindValidation)
		begun("another caller", other, "k\x00?", "other")
		w.clock.advance(61 * time.Second)
		begun("after its process died", caller, "k\x00?", "h")
		answer := settings.StoredResponse{Status: 201, ContentType: "application/json", Body: []byte("\x00{}\xff")}
		check(t, w.FinishIdempotent(t.Context(), caller, "k\x00?", answer))
		w.clock.advance(time.Hour)
		stored, kind := begin(caller, "k\x00?", "h")
		if kind != "" || stored == nil || stored.Status != 201 || !bytes.Equal(stored.Body, answer.Body) || stored.ContentType != answer.ContentType {
			t.Errorf("the answer: %+v, %q", stored, kind)
		}
		check(t, w.AbortIdempotent(t.Context(), caller, "k\x00?"))
		if stored, _ := begin(caller, "k\x00?", "h"); stored == nil {
			t.Error("aborting removed an answer")
		}
		begun("a second key", caller, "2", "h")
		check(t, w.AbortIdempotent(t.Context(), caller, "2"))
		begun("after aborting", caller, "2", "other")
		w.clock.advance(25 * time.Hour)
		begun("after a day", caller, "k\x00?", "new")
		var wait sync.WaitGroup
		var winners atomic.Int32
		for range 20 {
			wait.Go(func() {
				if stored, err := w.BeginIdempotent(t.Context(), other, "race", []byte("h")); err == nil && stored == nil {
					winners.Add(1)
				}
			})
		}
		wait.Wait()
		equal(t, "winners", winners.Load(), 1)
	})
}

func TestTaskLeases(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		begin := func(owner int64) (engine.TaskLease, bool) {
			t.Helper()
			turn, mine, err := w.TakeTask(t.Context(), "retention", owner, time.Minute)
			check(t, err)
			return turn, mine
		}
		var wait sync.WaitGroup
		var holders atomic.Int64
		var first engine.TaskLease
		for owner := int64(1); owner <= 10; owner++ {
			wait.Go(func() {
				if turn, mine := begin(owner); mine {
					first = turn
					holders.Add(1)
				}
			})
		}
		wait.Wait()
		equal(t, "holders", holders.Load(), 1)
		_, mine := begin(99)
		equal(t, "taken from its holder", mine, false)
		w.clock.advance(2 * time.Minute)
		second, mine := begin(99)
		equal(t, "taken after its lease ended", mine, true)
		equal(t, "steps", [2]int64{first.Step, second.Step}, [2]int64{1, 2})
		check(t, w.LeaveTask(t.Context(), first, []byte("late"), 0)) // changes nothing
		_, mine = begin(1)
		equal(t, "taken back by who was late", mine, false)
		check(t, w.LeaveTask(t.Context(), second, []byte("left"), time.Minute))
		_, mine = begin(1)
		equal(t, "taken while it rests", mine, false)
		all, err := w.TaskLeases(t.Context())
		check(t, err)
		equal(t, "step", all["retention"].Step, 2)
		w.clock.advance(2 * time.Minute)
		third, mine := begin(1)
		equal(t, "taken after its rest", mine, true)
		equal(t, "what was left", string(third.State), "left")
		check(t, w.LeaveTask(t.Context(), third, nil, 0))
		equal(t, "rows", number(t, w.Store, "SELECT count(*) FROM leases"), 0)
	})
}

func TestBeat(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		check(t, w.Beat(t.Context(), -5, "host\x00", "web"))
		started := number(t, w.Store, "SELECT started_at FROM processes WHERE id = -5")
		check(t, w.Beat(t.Context(), -5, "host", "web worker"))
		equal(t, "started at", number(t, w.Store, "SELECT started_at FROM processes WHERE id = -5 AND roles = 'web worker'"), started)
		w.clock.advance(25 * time.Hour)
		prune(t, w)
		equal(t, "processes", number(t, w.Store, "SELECT count(*) FROM processes"), 0)
	})
}

// TestWritesOnOneConnection runs what reads inside a transaction where a read
// that went past it would wait for ever.
func TestWritesOnOneConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dbtest.Postgres(t)+"&pool_max_conns=1")
	w.W.SetMaxOpenConns(1)
	e := w.addEndpoint(t, func(e *relay.Endpoint) { e.SourceIDs = []relay.ID{w.source.ID} })
	in := w.receive(t, e)
	_, err := w.ReplayEvent(t.Context(), w.project, in.Event.ID, nil, system)
	check(t, err)
	_, err = w.RetryDelivery(t.Context(), w.project, in.Deliveries[0].ID, "webhook_delivery.retried", system)
	check(t, err)
	check(t, w.DeleteEndpoint(t.Context(), w.project, e.ID, system))
}

// TestAChangedKeyOfTheSettingsRevokesTheOneBefore: a key that was once in the
// settings was valid for ever.
func TestAChangedKeyOfTheSettingsRevokesTheOneBefore(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		first, _ := w.key("REPRISE_API_KEY")
		second, _ := w.key("REPRISE_API_KEY")
		valid := func(k *relay.APIKey) bool {
			_, err := w.KeyByHash(t.Context(), k.Hash)
			return err == nil
		}
		check(t, w.EnsureKey(t.Context(), first, system))
		check(t, w.EnsureKey(t.Context(), first, system))
		equal(t, "the first", valid(first), true)
		check(t, w.EnsureKey(t.Context(), second, system))
		equal(t, "the first when it was changed", valid(first), false)
		equal(t, "the second", valid(second), true)
		check(t, w.RevokeKey(t.Context(), w.project, second.ID, system))
		check(t, w.EnsureKey(t.Context(), second, system))
		equal(t, "one that a person revoked", valid(second), false)
		check(t, w.EnsureKey(t.Context(), first, system))
		equal(t, "the first, back again", valid(first), true)
	})
}

// TestStrangersCostOneQueryASecond presents keys that are none.
func TestStrangersCostOneQueryASecond(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		watched, log := w.seen()
		begun := time.Now()
		for range 500 {
			_, err := watched.KeyByHash(t.Context(), relay.HashAPIKey(relay.NewAPIKey()))
			wantKind(t, err, relay.KindNotFound)
			if _, ok := watched.SourceBySlug("no-such-" + relay.NewID().Hex()); ok {
				t.Error("a source that is not there")
			}
		}
		if most := 2 * (1 + int(time.Since(begun).Seconds())); len(log.queries) > most {
			t.Errorf("%d queries, want %d at most", len(log.queries), most)
		}
		k, _ := w.key("new")
		check(t, watched.CreateKey(t.Context(), k, system))
		_, err := watched.KeyByHash(t.Context(), k.Hash)
		check(t, err)
	})
}
