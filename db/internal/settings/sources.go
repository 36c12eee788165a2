package settings

import (
	"context"
	"encoding/json"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

type sourceRow struct {
	bun.BaseModel     `bun:"table:sources"`
	ID                relay.ID `bun:",pk"`
	ProjectID         relay.ID
	Name              string
	Slug              string
	Type              string
	Provider          string
	Verifier          []byte // sealed JSON
	EventTypeLocation string
	IdempotencyKeys   string
	CustomResponse    string
	ForwardHeaders    string
	RetentionDays     int
	RateLimit         int
	IsDisabled        bool
	CreatedAt         int64
	UpdatedAt         int64
}

func (s *Store) sealSource(src *relay.Source) (*sourceRow, error) {
	verifier, err := json.Marshal(src.Verifier) //nolint:gosec // it is sealed right below
	if err != nil {
		return nil, err
	}
	return &sourceRow{
		ID: src.ID, ProjectID: src.ProjectID, Name: src.Name, Slug: src.Slug, Type: string(src.Type), Provider: src.Provider,
		Verifier: s.Box.Seal(verifier, "sources", src.ID), EventTypeLocation: src.EventTypeLocation,
		IdempotencyKeys: sqldb.JSONText(src.IdempotencyKeys), CustomResponse: sqldb.JSONText(src.CustomResponse),
		ForwardHeaders: sqldb.JSONText(src.ForwardHeaders), RetentionDays: src.RetentionDays, RateLimit: src.RateLimit,
		IsDisabled: src.IsDisabled, CreatedAt: sqldb.Micros(src.CreatedAt), UpdatedAt: sqldb.Micros(src.UpdatedAt),
	}, nil
}

// plain is what of a source is not sealed.
func (r *sourceRow) plain() *relay.Source {
	return &relay.Source{
		ID: r.ID, ProjectID: r.ProjectID, Name: r.Name, Slug: r.Slug, Type: relay.SourceType(r.Type), Provider: r.Provider,
		EventTypeLocation: r.EventTypeLocation, RetentionDays: r.RetentionDays, RateLimit: r.RateLimit, IsDisabled: r.IsDisabled,
		CreatedAt: sqldb.FromMicros(r.CreatedAt), UpdatedAt: sqldb.FromMicros(r.UpdatedAt),
	}
}

func (s *Store) openSource(r *sourceRow) (*relay.Source, error) {
	src := r.plain()
	verifier, err := s.Box.Open(r.Verifier, "sources", r.ID)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(verifier, &src.Verifier); err != nil {
		return nil, err
	}
	if src.IdempotencyKeys, err = sqldb.FromJSON[[]string](r.IdempotencyKeys); err != nil {
		return nil, err
	}
	if src.CustomResponse, err = sqldb.FromJSON[*relay.CustomResponse](r.CustomResponse); err != nil {
		return nil, err
	}
	src.ForwardHeaders, err = sqldb.FromJSON[[]string](r.ForwardHeaders)
	return src, err
}

// CreateSource stores a new source. A slug that is taken is KindConflict with
// the field named.
func (s *Store) CreateSource(ctx context.Context, src *relay.Source, by relay.Actor) error {
	row, err := s.sealSource(src)
	if err != nil {
		return err
	}
	entry := relay.AuditEntry{ProjectID: src.ProjectID, Actor: by, Action: "source.created",
		Target: relay.PrefixSource.Format(src.ID), Data: map[string]any{"name": src.Name, "slug": src.Slug}}
	return slugTaken(s.ChangeConfig(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(row).Exec(ctx)
		return err
	}))
}

func slugTaken(err error) error {
	if relay.KindOf(err) == relay.KindConflict {
		return &relay.Error{Kind: relay.KindConflict, Detail: "Another source has this slug; choose another one.",
			Fields: []relay.FieldError{{Field: "slug", Message: "is taken; choose another one"}}, Cause: err}
	}
	return err
}

// UpdateSource reads a source, lets change alter it, and stores it.
func (s *Store) UpdateSource(ctx context.Context, project, id relay.ID, by relay.Actor, change func(*relay.Source) error) (*relay.Source, error) {
	var out *relay.Source
	entry := relay.AuditEntry{ProjectID: project, Actor: by, Action: "source.updated", Target: relay.PrefixSource.Format(id)}
	err := s.ChangeConfig(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		var row sourceRow
		q := tx.NewSelect().Model(&row).Where("id = ? AND project_id = ?", id, project)
		if s.PG {
			q = q.For("UPDATE")
		}
		if err := q.Scan(ctx); err != nil {
			return err
		}
		src, err := s.openSource(&row)
		if err != nil {
			return err
		}
		if err := change(src); err != nil {
			return err
		}
		src.UpdatedAt = s.Now()
		sealed, err := s.sealSource(src)
		if err != nil {
			return err
		}
		_, err = tx.NewUpdate().Model(sealed).WherePK().Exec(ctx)
		out = src
		return err
	})
	return out, slugTaken(err)
}

// DeleteSource removes a source. Its events and their deliveries stay until
// their retention ends.
func (s *Store) DeleteSource(ctx context.Context, project, id relay.ID, by relay.Actor) error {
	entry := relay.AuditEntry{ProjectID: project, Actor: by, Action: "source.deleted", Target: relay.PrefixSource.Format(id)}
	return s.ChangeConfig(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		result, err := tx.NewDelete().Model((*sourceRow)(nil)).Where("id = ? AND project_id = ?", id, project).Exec(ctx)
		return sqldb.NeedOne(result, err)
	})
}

// Source finds a source of a project.
func (s *Store) Source(project, id relay.ID) (*relay.Source, error) {
	src, ok := s.Config().Source(id)
	if !ok && s.configChanged() {
		src, ok = s.Config().Source(id)
	}
	if ok && src.ProjectID == project {
		return src, nil
	}
	return nil, relay.ErrNotFound
}

// Sources lists a project's sources, newest first.
func (s *Store) Sources(_ context.Context, project relay.ID, p sqldb.Page) (sqldb.Slice[relay.Source], error) {
	return sqldb.ConfigSlice(s.DB, s.Config().SourcesOf(project), p, "sources/"+project.Hex(), func(src *relay.Source) relay.ID { return src.ID })
}
