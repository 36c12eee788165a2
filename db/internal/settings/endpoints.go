package settings

import (
	"context"
	"reflect"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// CreateEndpoint stores a new endpoint with its secrets.
func (s *Store) CreateEndpoint(ctx context.Context, e *relay.Endpoint, by relay.Actor) error {
	row, err := s.SealEndpoint(e)
	if err != nil {
		return err
	}
	entry := EndpointEntry(e.ProjectID, e.ID, "endpoint.created", by)
	entry.Data = map[string]any{"name": e.Name, "url": e.URL}
	return s.ChangeConfig(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		if err := sourcesExist(ctx, tx, e); err != nil {
			return err
		}
		if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
			return err
		}
		return s.insertSecrets(ctx, tx, e.ID, e.Secrets)
	})
}

// EndpointEntry is an entry of the audit log about an endpoint.
func EndpointEntry(project, id relay.ID, action string, by relay.Actor) relay.AuditEntry {
	return relay.AuditEntry{ProjectID: project, Actor: by, Action: action, Target: relay.PrefixEndpoint.Format(id)}
}

func (s *Store) insertSecrets(ctx context.Context, tx bun.Tx, endpoint relay.ID, secrets []relay.Secret) error {
	if len(secrets) == 0 {
		return nil
	}
	rows := s.sealSecrets(endpoint, secrets)
	_, err := tx.NewInsert().Model(&rows).Exec(ctx)
	return err
}

// sourcesExist checks that an endpoint names sources of its own project only.
func sourcesExist(ctx context.Context, tx bun.Tx, e *relay.Endpoint) error {
	if len(e.SourceIDs) == 0 {
		return nil
	}
	var found []relay.ID
	err := tx.NewSelect().TableExpr("sources").Column("id").
		Where("project_id = ? AND id IN (?)", e.ProjectID, bun.List(e.SourceIDs)).Scan(ctx, &found)
	if err != nil {
		return err
	}
	known := map[relay.ID]bool{}
	for _, id := range found {
		known[id] = true
	}
	for _, id := range e.SourceIDs {
		if !known[id] {
			return relay.Invalid(relay.FieldError{Field: "source_ids",
				Message: relay.PrefixSource.Format(id) + " is not a source of this project"})
		}
	}
	return nil
}

// UpdateEndpoint reads an endpoint, lets change alter it, and stores it, all
// but its secrets. action is what the audit log calls it.
func (s *Store) UpdateEndpoint(ctx context.Context, project, id relay.ID, action string, by relay.Actor, change func(*relay.Endpoint) error) (*relay.Endpoint, error) {
	var out *relay.Endpoint
	entry := EndpointEntry(project, id, action, by)
	entry.Data = map[string]any{}
	err := s.ChangeConfig(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		e, err := s.LockEndpoint(ctx, tx, project, id)
		if err != nil {
			return err
		}
		before, secrets := *e, e.Secrets
		if err := change(e); err != nil {
			return err
		}
		e.ID, e.ProjectID, e.Secrets, e.CreatedAt = id, project, secrets, before.CreatedAt
		entry.Data["changed"] = changedFields(before, *e)
		e.UpdatedAt = s.Now()
		if err := sourcesExist(ctx, tx, e); err != nil {
			return err
		}
		out = e
		return s.storeEndpoint(ctx, tx, e)
	})
	return out, err
}

// LockEndpoint reads an endpoint that is not deleted, to change it.
func (s *Store) LockEndpoint(ctx context.Context, tx bun.Tx, project, id relay.ID) (*relay.Endpoint, error) {
	var row EndpointRow
	q := tx.NewSelect().Model(&row).Where("id = ? AND project_id = ? AND deleted_at IS NULL", id, project)
	if s.PG {
		q = q.For("UPDATE")
	}
	if err := q.Scan(ctx); err != nil {
		return nil, err
	}
	var secrets []SecretRow
	if err := tx.NewSelect().Model(&secrets).Where("endpoint_id = ?", id).Order("id").Scan(ctx); err != nil {
		return nil, err
	}
	return s.openEndpoint(&row, secrets)
}

func (s *Store) storeEndpoint(ctx context.Context, tx bun.Tx, e *relay.Endpoint) error {
	row, err := s.SealEndpoint(e)
	if err != nil {
		return err
	}
	_, err = tx.NewUpdate().Model(row).WherePK().Exec(ctx)
	return err
}

// changedFields names what differs, as the API calls it; values may be secret.
func changedFields(before, after relay.Endpoint) []string {
	names := []string{}
	a, b := reflect.ValueOf(before), reflect.ValueOf(after)
	for i := range a.NumField() {
		name := snake(a.Type().Field(i).Name)
		if name != "updated_at" && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			names = append(names, name)
		}
	}
	return names
}

// snake writes the name of a Go field as the API does: SourceIDs is source_ids.
func snake(name string) string {
	name = strings.NewReplacer("IDs", "Ids", "URL", "Url", "HTTP", "Http").Replace(name)
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteString(strings.ToLower(string(r)))
	}
	return b.String()
}

// RotateSecret adds a secret; those before it sign until oldUntil and are
// removed after.
func (s *Store) RotateSecret(ctx context.Context, project, id relay.ID, add relay.Secret, oldUntil time.Time, by relay.Actor) (*relay.Endpoint, error) {
	var out *relay.Endpoint
	entry := EndpointEntry(project, id, "endpoint.secret_rotated", by)
	entry.Data = map[string]any{"old_secrets_until": oldUntil.UTC()}
	err := s.ChangeConfig(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		e, err := s.LockEndpoint(ctx, tx, project, id)
		if err != nil {
			return err
		}
		now := s.Now()
		kept := []relay.Secret{}
		for _, old := range e.Secrets {
			if old.Expired(now) {
				continue
			}
			if old.ExpiresAt.IsZero() || old.ExpiresAt.After(oldUntil) {
				old.ExpiresAt = oldUntil
			}
			if !old.Expired(now) {
				kept = append(kept, old)
			}
		}
		e.Secrets, e.UpdatedAt = append(kept, add), now
		if _, err := tx.NewDelete().Model((*SecretRow)(nil)).Where("endpoint_id = ?", id).Exec(ctx); err != nil {
			return err
		}
		if err := s.insertSecrets(ctx, tx, id, e.Secrets); err != nil {
			return err
		}
		out = e
		return s.storeEndpoint(ctx, tx, e)
	})
	return out, err
}

// Endpoint finds an endpoint of a project.
func (s *Store) Endpoint(project, id relay.ID) (*relay.Endpoint, error) {
	e, ok := s.Config().Endpoint(id)
	if !ok && s.configChanged() {
		e, ok = s.Config().Endpoint(id)
	}
	if ok && e.ProjectID == project {
		return e, nil
	}
	return nil, relay.ErrNotFound
}

// Endpoints lists a project's endpoints, newest first.
func (s *Store) Endpoints(_ context.Context, project relay.ID, p sqldb.Page) (sqldb.Slice[relay.Endpoint], error) {
	return sqldb.ConfigSlice(s.DB, s.Config().EndpointsOf(project), p, "endpoints/"+project.Hex(), func(e *relay.Endpoint) relay.ID { return e.ID })
}
