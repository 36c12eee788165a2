package settings

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

type projectRow struct {
	bun.BaseModel `bun:"table:projects"`
	ID            relay.ID `bun:",pk"`
	Name          string
	CreatedAt     int64
	UpdatedAt     int64
}

type membershipRow struct {
	bun.BaseModel `bun:"table:memberships"`
	UserID        relay.ID `bun:",pk"`
	ProjectID     relay.ID `bun:",pk"`
	CreatedAt     int64
}

func projectRowOf(p *relay.Project) *projectRow {
	return &projectRow{ID: p.ID, Name: sqldb.Clean(p.Name), CreatedAt: sqldb.Micros(p.CreatedAt), UpdatedAt: sqldb.Micros(p.UpdatedAt)}
}

func (r *projectRow) open() relay.Project {
	return relay.Project{ID: r.ID, Name: r.Name, CreatedAt: sqldb.FromMicros(r.CreatedAt), UpdatedAt: sqldb.FromMicros(r.UpdatedAt)}
}

func openProjects(rows []projectRow) []relay.Project {
	out := make([]relay.Project, len(rows))
	for i := range rows {
		out[i] = rows[i].open()
	}
	return out
}

// CreateProject stores a new project; owner, if it is not zero, becomes a
// member.
func (s *Store) CreateProject(ctx context.Context, p *relay.Project, owner relay.ID, by relay.Actor) error {
	return s.WriteAudited(ctx, projectEntry(p.ID, "project.created", by, p.Name), func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(projectRowOf(p)).Exec(ctx); err != nil || owner.IsZero() {
			return err
		}
		return join(ctx, tx, owner, []relay.ID{p.ID}, p.CreatedAt.UnixMicro())
	})
}

func projectEntry(id relay.ID, action string, by relay.Actor, name string) relay.AuditEntry {
	return relay.AuditEntry{ProjectID: id, Actor: by, Action: action, Target: relay.PrefixProject.Format(id),
		Data: map[string]any{"name": name}}
}

func join(ctx context.Context, tx bun.Tx, user relay.ID, projects []relay.ID, at int64) error {
	for _, project := range projects {
		row := &membershipRow{UserID: user, ProjectID: project, CreatedAt: at}
		if _, err := tx.NewInsert().Model(row).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Projects lists all projects, oldest first.
func (s *Store) Projects(ctx context.Context) ([]relay.Project, error) {
	var rows []projectRow
	err := s.R.NewSelect().Model(&rows).Order("id").Scan(ctx)
	return openProjects(rows), sqldb.Translate(err)
}

// ProjectsOf lists the projects that a user is a member of, oldest first.
func (s *Store) ProjectsOf(ctx context.Context, user relay.ID) ([]relay.Project, error) {
	var rows []projectRow
	mine := s.R.NewSelect().Model((*membershipRow)(nil)).Column("project_id").Where("user_id = ?", user)
	err := s.R.NewSelect().Model(&rows).Where("id IN (?)", mine).Order("id").Scan(ctx)
	return openProjects(rows), sqldb.Translate(err)
}

// Project finds a project.
func (s *Store) Project(ctx context.Context, id relay.ID) (relay.Project, error) {
	var row projectRow
	err := s.R.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
	return row.open(), sqldb.Translate(err)
}

// UpdateProject reads a project, lets change alter it, and stores it.
func (s *Store) UpdateProject(ctx context.Context, id relay.ID, by relay.Actor, change func(*relay.Project) error) (relay.Project, error) {
	var p relay.Project
	entry := projectEntry(id, "project.updated", by, "")
	err := s.WriteAudited(ctx, entry, func(ctx context.Context, tx bun.Tx) error {
		var row projectRow
		q := tx.NewSelect().Model(&row).Where("id = ?", id)
		if s.PG {
			q = q.For("UPDATE")
		}
		if err := q.Scan(ctx); err != nil {
			return err
		}
		p = row.open()
		if err := change(&p); err != nil {
			return err
		}
		p.ID, p.CreatedAt, p.UpdatedAt = id, row.open().CreatedAt, s.Now()
		entry.Data["name"] = p.Name
		_, err := tx.NewUpdate().Model(projectRowOf(&p)).WherePK().Exec(ctx)
		return err
	})
	return p, err
}

// DefaultProject is the oldest project. If there is none it makes one, named
// Default.
func (s *Store) DefaultProject(ctx context.Context) (relay.Project, error) {
	var p relay.Project
	err := s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var err error
		p, err = s.defaultProject(ctx, tx)
		return err
	})
	return p, err
}

func (s *Store) defaultProject(ctx context.Context, tx bun.Tx) (relay.Project, error) {
	if err := s.alone(ctx, tx); err != nil {
		return relay.Project{}, err
	}
	var rows []projectRow
	if err := tx.NewSelect().Model(&rows).Order("id").Limit(1).Scan(ctx); err != nil {
		return relay.Project{}, err
	}
	if len(rows) > 0 {
		return rows[0].open(), nil
	}
	now := s.Now()
	p := relay.Project{ID: relay.NewIDAt(now), Name: "Default", CreatedAt: now, UpdatedAt: now}
	if _, err := tx.NewInsert().Model(projectRowOf(&p)).Exec(ctx); err != nil {
		return p, err
	}
	return p, s.WriteAudit(ctx, tx, projectEntry(p.ID, "project.created", relay.Actor{Kind: relay.ActorSystem}, p.Name))
}

// alone lets one transaction at a time go on from here: for what must happen
// once, such as the first user. On SQLite transactions are alone anyway.
func (s *Store) alone(ctx context.Context, tx bun.Tx) error {
	if !s.PG {
		return nil
	}
	_, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", sqldb.MigrationLock+1)
	return err
}
