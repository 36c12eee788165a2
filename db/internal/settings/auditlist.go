package settings

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// AuditFilter narrows the audit log. Zero values do not.
type AuditFilter struct {
	Action   string
	Actor    string   // the actor's name, or the id of a user or key
	Targets  []string // what was acted on, any of them; empty: anything
	From, To time.Time
	// Reader is the user who reads. What belongs to no project, such as
	// log-ins, is listed of those whom they share a project with; to an owner
	// of the installation also what is about nobody, such as log-ins that
	// failed for an address which no user has. Zero: none of it.
	Reader relay.ID
}

// AuditEntries lists a project's audit log, newest first. Without a project it
// is what the reader may see of what belongs to none.
func (s *Store) AuditEntries(ctx context.Context, project relay.ID, f AuditFilter, p sqldb.Page) (sqldb.Slice[relay.AuditEntry], error) {
	scope := "audit/" + project.Hex() + sqldb.JSONText(f)
	rows, err := s.auditRows(ctx, project, f, p, scope)
	if err != nil {
		return sqldb.Slice[relay.AuditEntry]{}, err
	}
	slices.SortFunc(rows, func(a, b sqldb.AuditRow) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	rows = rows[:min(len(rows), p.Most()+1)]
	out := make([]relay.AuditEntry, len(rows))
	for i := range rows {
		if out[i], err = rows[i].Open(); err != nil {
			return sqldb.Slice[relay.AuditEntry]{}, err
		}
	}
	return sqldb.SliceOf(s.DB, out, p, scope, func(e relay.AuditEntry) relay.ID { return e.ID }), nil
}

// auditParts is how many lists go into one query.
const auditParts = 50

// auditRows reads the newest rows of a project and of each person whom the
// reader may see. Each of these lists is short by its own index; one condition
// for all of them would walk through the log-ins of everybody.
func (s *Store) auditRows(ctx context.Context, project relay.ID, f AuditFilter, p sqldb.Page, scope string) ([]sqldb.AuditRow, error) {
	parts, err := s.auditLists(ctx, project, f, p, scope)
	if err != nil {
		return nil, err
	}
	var rows []sqldb.AuditRow
	for some := range slices.Chunk(parts, auditParts) {
		var found []sqldb.AuditRow
		query := strings.Repeat(" UNION ALL SELECT * FROM (?) AS part", len(some))
		if err := s.R.NewRaw(strings.TrimPrefix(query, " UNION ALL "), some...).Scan(ctx, &found); err != nil {
			return nil, sqldb.Translate(err)
		}
		rows = append(rows, found...)
	}
	return rows, nil
}

// auditLists are the queries for all that a list is put together of.
func (s *Store) auditLists(ctx context.Context, project relay.ID, f AuditFilter, p sqldb.Page, scope string) (parts []any, err error) {
	add := func(where string, value any) {
		if err == nil {
			var q *bun.SelectQuery
			q, err = s.After(f.narrow(s.R.NewSelect().Table("audit_log").ColumnExpr("*").Where(where, value)), p, scope)
			parts = append(parts, q)
		}
	}
	if !project.IsZero() {
		add("project_id = ?", project)
	}
	if f.Reader.IsZero() {
		return parts, err
	}
	reader, err := s.User(ctx, f.Reader)
	if err != nil {
		return nil, err
	}
	people, err := s.acquaintances(ctx, reader.ID)
	for _, id := range people {
		add("project_id IS NULL AND target = ?", relay.PrefixUser.Format(id))
	}
	if reader.Owner {
		add("project_id IS NULL AND target = ?", "")
	}
	return parts, err
}

func (f *AuditFilter) narrow(q *bun.SelectQuery) *bun.SelectQuery {
	q = sqldb.Within(q, "at", f.From, f.To, relay.ID{})
	if f.Action != "" {
		q = q.Where("action = ?", sqldb.Clean(f.Action))
	}
	if len(f.Targets) > 0 {
		q = q.Where("target IN (?)", bun.List(f.Targets))
	}
	if id, ok := actorID(f.Actor); ok {
		q = q.Where("actor_id = ?", id)
	} else if f.Actor != "" {
		q = q.Where("actor_name = ?", sqldb.Clean(f.Actor))
	}
	return q
}

func actorID(actor string) (relay.ID, bool) {
	for _, prefix := range []relay.Prefix{relay.PrefixUser, relay.PrefixKey} {
		if id, err := relay.ParseID(prefix, actor); err == nil {
			return id, true
		}
	}
	return relay.ID{}, false
}
