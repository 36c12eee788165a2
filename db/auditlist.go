package db

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// AuditFilter narrows the audit log. Zero values do not.
type AuditFilter struct {
	Action   string
	Actor    string // the actor's name, or the id of a user or key
	From, To time.Time
	// IncludeGlobal adds entries that belong to no project, such as log-ins.
	IncludeGlobal bool
}

func (r *auditRow) open() (relay.AuditEntry, error) {
	data, err := fromJSON[map[string]any](r.Data)
	return relay.AuditEntry{ID: r.ID, ProjectID: r.ProjectID, At: fromMicros(r.At), Action: r.Action, Target: r.Target, Data: data,
		Actor: relay.Actor{Kind: relay.ActorKind(r.ActorKind), ID: r.ActorID, Name: r.ActorName, IP: r.IP}}, err
}

// AuditEntries lists a project's audit log, newest first.
func (s *Store) AuditEntries(ctx context.Context, project relay.ID, f AuditFilter, p Page) (Slice[relay.AuditEntry], error) {
	scope := "audit/" + project.Hex() + jsonText(f)
	rows, err := s.auditRows(ctx, project, f, p, scope)
	if err != nil {
		return Slice[relay.AuditEntry]{}, err
	}
	if f.IncludeGlobal {
		global, err := s.auditRows(ctx, relay.ID{}, f, p, scope)
		if err != nil {
			return Slice[relay.AuditEntry]{}, err
		}
		rows = append(rows, global...)
		slices.SortFunc(rows, func(a, b auditRow) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	}
	out := make([]relay.AuditEntry, len(rows))
	for i := range rows {
		if out[i], err = rows[i].open(); err != nil {
			return Slice[relay.AuditEntry]{}, err
		}
	}
	return slice(s, out, p, scope, func(e relay.AuditEntry) relay.ID { return e.ID }), nil
}

// auditRows reads a page of one project's entries, or of those without one.
func (s *Store) auditRows(ctx context.Context, project relay.ID, f AuditFilter, p Page, scope string) ([]auditRow, error) {
	var rows []auditRow
	q := within(s.r.NewSelect().Model(&rows), "at", f.From, f.To, relay.ID{})
	if project.IsZero() {
		q = q.Where("project_id IS NULL")
	} else {
		q = q.Where("project_id = ?", project)
	}
	if f.Action != "" {
		q = q.Where("action = ?", clean(f.Action))
	}
	if id, ok := actorID(f.Actor); ok {
		q = q.Where("actor_id = ?", id)
	} else if f.Actor != "" {
		q = q.Where("actor_name = ?", clean(f.Actor))
	}
	q, err := s.after(q, p, scope)
	if err != nil {
		return nil, err
	}
	return rows, translate(q.Scan(ctx))
}

func actorID(actor string) (relay.ID, bool) {
	for _, prefix := range []relay.Prefix{relay.PrefixUser, relay.PrefixKey} {
		if id, err := relay.ParseID(prefix, actor); err == nil {
			return id, true
		}
	}
	return relay.ID{}, false
}
