package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

func TestAuditLog(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ann := relay.Actor{Kind: relay.ActorUser, ID: relay.NewID(), Name: "ann@example.com\x00", IP: "192.0.2.9"}
		owner := w.user("owner@example.com")
		check(t, w.CreateUser(t.Context(), owner, []relay.ID{w.project}, system))
		check(t, w.Audit(t.Context(), relay.AuditEntry{Actor: ann, Action: "session.failed", Data: map[string]any{"n": "?\x00"}}))
		check(t, w.Audit(t.Context(), relay.AuditEntry{ProjectID: w.project, Actor: ann, Action: "source.paused", Target: "src_1"}))
		check(t, w.Audit(t.Context(), relay.AuditEntry{ProjectID: w.addProject(t), Actor: ann, Action: "source.paused"}))
		actions := func(f settings.AuditFilter) string {
			t.Helper()
			got, err := w.AuditEntries(t.Context(), w.project, f, sqldb.Page{})
			check(t, err)
			var words []string
			for _, e := range got.Rows {
				words = append(words, e.Action)
			}
			return strings.Join(words, " ")
		}
		equal(t, "all", actions(settings.AuditFilter{}), "source.paused user.created source.created project.created")
		equal(t, "with log-ins", actions(settings.AuditFilter{Reader: owner.ID}), "source.paused session.failed user.created source.created project.created")
		equal(t, "action", actions(settings.AuditFilter{Action: "source.created"}), "source.created")
		equal(t, "actor", actions(settings.AuditFilter{Actor: ann.Name, Reader: owner.ID}), "source.paused session.failed")
		equal(t, "actor's id", actions(settings.AuditFilter{Actor: relay.PrefixUser.Format(ann.ID)}), "source.paused")
		equal(t, "from", actions(settings.AuditFilter{From: w.Now()}), "")
		equal(t, "to", actions(settings.AuditFilter{To: w.Now().Add(-time.Hour)}), "")
		equal(t, "hostile", actions(settings.AuditFilter{Action: "' OR 1=1--?", Actor: "\x00"}), "")
		var paged []string
		for p := (sqldb.Page{Limit: 1}); ; {
			page, err := w.AuditEntries(t.Context(), w.project, settings.AuditFilter{Reader: owner.ID}, p)
			check(t, err)
			for _, e := range page.Rows {
				paged = append(paged, e.Action)
			}
			if p.Cursor = page.Next; p.Cursor == "" {
				break
			}
		}
		equal(t, "page by page", strings.Join(paged, " "), "source.paused session.failed user.created source.created project.created")
		got, err := w.AuditEntries(t.Context(), w.project, settings.AuditFilter{Action: "source.paused"}, sqldb.Page{})
		check(t, err)
		want := ann
		want.Name = "ann@example.com\uFFFD"
		equal(t, "actor", got.Rows[0].Actor, want)
		equal(t, "target", got.Rows[0].Target, "src_1")
	})
}

// crowd are people of three projects, and what they did that belongs to none.
type crowd struct {
	owner, ann, bob, eve, lone *relay.User
	second, third              relay.ID
}

func (w *world) crowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{second: w.addProject(t), third: w.addProject(t)}
	for _, one := range []struct {
		to       **relay.User
		name     string
		projects []relay.ID
	}{
		{&c.owner, "owner", []relay.ID{c.second}},
		{&c.ann, "ann", []relay.ID{w.project}},
		{&c.bob, "bob", []relay.ID{w.project, c.second}},
		{&c.eve, "eve", []relay.ID{c.third}},
		{&c.lone, "lone", nil},
	} {
		*one.to = w.user(one.name + "@example.com")
		check(t, w.CreateUser(t.Context(), *one.to, one.projects, system))
		w.logIn(t, *one.to)
	}
	for _, address := range []string{"nobody@example.com", "the-password-of-eve"} {
		check(t, w.Audit(t.Context(), relay.AuditEntry{Actor: relay.Actor{Kind: relay.ActorSystem, Name: address, IP: "192.0.2.1"}, Action: "session.failed"}))
	}
	return c
}

// logIn records that somebody failed to log in and then did.
func (w *world) logIn(t *testing.T, u *relay.User) {
	t.Helper()
	target := relay.PrefixUser.Format(u.ID)
	failed := relay.Actor{Kind: relay.ActorSystem, Name: u.Email}
	check(t, w.Audit(t.Context(), relay.AuditEntry{Actor: failed, Action: "session.failed", Target: target}))
	actor := relay.Actor{Kind: relay.ActorUser, ID: u.ID, Name: u.Email}
	check(t, w.Audit(t.Context(), relay.AuditEntry{Actor: actor, Action: "session.started", Target: target}))
}

// logIns are the names of those whose log-ins a list has, in order.
func (w *world) logIns(t *testing.T, project relay.ID, f settings.AuditFilter) string {
	t.Helper()
	var names []string
	for p := (sqldb.Page{Limit: 2}); ; {
		page, err := w.AuditEntries(t.Context(), project, f, p)
		check(t, err)
		for _, e := range page.Rows {
			if strings.HasPrefix(e.Action, "session.") {
				names = append(names, strings.TrimSuffix(e.Actor.Name, "@example.com"))
			}
		}
		if p.Cursor = page.Next; p.Cursor == "" {
			break
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// TestAuditLogOfAcquaintances: what belongs to no project is shown of those
// whom the reader shares a project with, whatever list it is and however it is
// narrowed. It showed everybody's log-ins in every project.
func TestAuditLogOfAcquaintances(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		c := w.crowd(t)
		everybody := []*relay.User{c.owner, c.ann, c.bob, c.eve, c.lone}
		for reader, sees := range map[*relay.User]string{
			c.owner: "bob bob nobody owner owner the-password-of-eve",
			c.ann:   "ann ann bob bob",
			c.bob:   "ann ann bob bob owner owner",
			c.eve:   "eve eve",
			c.lone:  "lone lone",
		} {
			for _, project := range []relay.ID{w.project, c.second, c.third, {}} {
				equal(t, reader.Email+" reads", w.logIns(t, project, settings.AuditFilter{Reader: reader.ID}), sees)
				failures, filter := strings.Fields(sees), settings.AuditFilter{Reader: reader.ID, Action: "session.failed"}
				equal(t, reader.Email+" reads failures", w.logIns(t, project, filter), strings.Join(slices.Compact(failures), " "))
				for _, u := range everybody {
					known := strings.Contains(sees, strings.TrimSuffix(u.Email, "@example.com"))
					for actor, n := range map[string]int{u.Email: 2, relay.PrefixUser.Format(u.ID): 1} {
						if u == c.eve && reader == c.owner { // only as a part of what somebody typed
							known = false
						}
						got := len(strings.Fields(w.logIns(t, project, settings.AuditFilter{Reader: reader.ID, Actor: actor})))
						if want := n * map[bool]int{true: 1}[known]; got != want {
							t.Errorf("%s reads of %s: %d entries, want %d", reader.Email, actor, got, want)
						}
					}
				}
				equal(t, reader.Email+" reads of an address", w.logIns(t, project, settings.AuditFilter{Reader: reader.ID, Actor: "nobody@example.com"}) != "", reader == c.owner)
			}
		}
		for _, project := range []relay.ID{w.project, c.second, c.third} {
			equal(t, "a key reads", w.logIns(t, project, settings.AuditFilter{}), "")
		}
	})
}

// TestOneOwner: the first user owns the installation, also of a database that
// was made before there were owners.
func TestOneOwner(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		c := w.crowd(t)
		owners := func(s *Store) (emails []string) {
			for _, u := range []*relay.User{c.owner, c.ann, c.bob, c.eve, c.lone} {
				got, err := s.User(t.Context(), u.ID)
				check(t, err)
				if got.Owner {
					emails = append(emails, got.Email)
				}
			}
			return emails
		}
		equal(t, "owners", fmt.Sprint(owners(w.Store)), "[owner@example.com]")
		exec(t, w.Store, "ALTER TABLE users DROP COLUMN is_owner")
		exec(t, w.Store, "DROP INDEX audit_about")
		exec(t, w.Store, "DELETE FROM schema_migrations WHERE name = '0007'")
		equal(t, "owners after the upgrade", fmt.Sprint(owners(w.beside(t))), "[owner@example.com]")
	})
}

// TestPlansOfTheAuditLog reads the log of people among very many log-ins of
// others.
func TestPlansOfTheAuditLog(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		c := w.crowd(t)
		series, id, blob := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)", "unhex(printf('%012x%020x', ? + i, i))", "X'%s'"
		if w.PG {
			series, id, blob = "WITH n(i) AS (SELECT generate_series(1, ?))", "decode(lpad(to_hex(? + i), 12, '0') || lpad(to_hex(i), 20, '0'), 'hex')", `'\x%s'::bytea`
		}
		project, eve := fmt.Sprintf(blob, w.project.Hex()), fmt.Sprintf(blob, c.eve.ID.Hex())
		// Of four entries one is about nobody, two about a stranger, and one is the project's.
		exec(t, w.Store, series+" INSERT INTO audit_log (id, project_id, at, actor_kind, actor_id, actor_name, ip, action, target, data) SELECT "+id+
			", CASE WHEN i % 4 = 3 THEN "+project+" END, ? + i, 'user', CASE WHEN i % 4 > 0 THEN "+eve+" END, CASE i % 4 WHEN 0 THEN 'x' ELSE ? END, '', "+
			"CASE i % 2 WHEN 0 THEN 'session.failed' ELSE 'session.started' END, CASE i % 4 WHEN 0 THEN '' WHEN 3 THEN 'src_1' ELSE ? END, '{}' FROM n",
			100_000, w.Now().UnixMilli(), w.Now().UnixMicro(), c.eve.Email, relay.PrefixUser.Format(c.eve.ID))
		w.logIn(t, c.ann)
		if w.PG {
			_, err := w.W.ExecContext(t.Context(), "ANALYZE")
			check(t, err)
		}
		w, log := w.seen()
		page, stranger := sqldb.Page{Limit: 25}, c.eve.Email
		cases := []planCase{
			{name: "a key's", index: "audit_list", run: w.listAudit(settings.AuditFilter{}, page)},
		}
		for name, reader := range map[string]relay.ID{"ann": c.ann.ID, "the owner": c.owner.ID} {
			for what, f := range map[string]settings.AuditFilter{
				"all": {}, "an action": {Action: "session.started"}, "no such action": {Action: "user.password_changed"},
				"a stranger": {Actor: stranger}, "a stranger's id": {Actor: relay.PrefixUser.Format(c.eve.ID)}, "in time": {From: w.Now().Add(-time.Hour)},
			} {
				f.Reader = reader
				cases = append(cases, planCase{name: name + ", " + what, index: "audit_", run: func(ctx context.Context) error {
					_, err := w.AuditEntries(ctx, w.project, f, page)
					return err
				}})
			}
		}
		for _, c := range cases {
			w.checkPlans(t, log, []planCase{{name: c.name, run: c.run}})
			for _, query := range log.queries {
				if !strings.Contains(query, "audit_log") {
					continue
				}
				plan := w.plan(t, query)
				for line := range strings.SplitSeq(plan, "\n") {
					if strings.Contains(line, "Seq Scan") || strings.Contains(line, "SCAN audit_log") || strings.Contains(line, "ORDER BY") {
						t.Errorf("%s: %s\n%s\n%s", c.name, line, query, plan)
					}
				}
				if !strings.Contains(plan, c.index) {
					t.Errorf("%s does not use %s\n%s", c.name, c.index, plan)
				}
			}
		}
	})
}
