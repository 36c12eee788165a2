package settings

import (
	"context"
	"strings"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

type userRow struct {
	bun.BaseModel `bun:"table:users"`
	ID            relay.ID `bun:",pk"`
	Email         string
	PasswordHash  string
	IsOwner       bool
	CreatedAt     int64
	LastLoginAt   int64 `bun:",nullzero"`
}

func (r *userRow) open() relay.User {
	return relay.User{ID: r.ID, Email: r.Email, PasswordHash: r.PasswordHash, Owner: r.IsOwner,
		CreatedAt: sqldb.FromMicros(r.CreatedAt), LastLoginAt: sqldb.FromMicros(r.LastLoginAt)}
}

// UserCount counts the users.
func (s *Store) UserCount(ctx context.Context) (int, error) {
	n, err := s.R.NewSelect().Model((*userRow)(nil)).Count(ctx)
	return int(n), sqldb.Translate(err)
}

// CreateUser stores a new user as a member of projects. The first one of all
// owns the installation. An e-mail address that is taken is KindConflict with
// the field named.
func (s *Store) CreateUser(ctx context.Context, u *relay.User, projects []relay.ID, by relay.Actor) error {
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := s.alone(ctx, tx); err != nil {
			return err
		}
		n, err := tx.NewSelect().Model((*userRow)(nil)).Count(ctx)
		if err != nil {
			return err
		}
		u.Owner = n == 0
		return s.createUser(ctx, tx, u, projects, by)
	})
}

func (s *Store) createUser(ctx context.Context, tx bun.Tx, u *relay.User, projects []relay.ID, by relay.Actor) error {
	u.Email = strings.ToLower(sqldb.Clean(u.Email))
	row := &userRow{ID: u.ID, Email: u.Email, PasswordHash: u.PasswordHash, IsOwner: u.Owner, CreatedAt: sqldb.Micros(u.CreatedAt)}
	if _, err := tx.NewInsert().Model(row).Exec(ctx); sqldb.IsUnique(err) {
		return &relay.Error{Kind: relay.KindConflict, Detail: "A user with this e-mail address exists already.",
			Fields: []relay.FieldError{{Field: "email", Message: "is taken by another user"}}, Cause: err}
	} else if err != nil {
		return err
	}
	if err := join(ctx, tx, u.ID, projects, row.CreatedAt); err != nil {
		return err
	}
	if _, err := tx.NewDelete().TableExpr("meta").Where("name = ?", setupName).Exec(ctx); err != nil {
		return err
	}
	entry := userEntry(u.ID, "user.created", by)
	entry.Data = map[string]any{"email": u.Email}
	if len(projects) == 1 {
		entry.ProjectID = projects[0]
	}
	return s.WriteAudit(ctx, tx, entry)
}

func userEntry(id relay.ID, action string, by relay.Actor) relay.AuditEntry {
	return relay.AuditEntry{Actor: by, Action: action, Target: relay.PrefixUser.Format(id)}
}

// CreateFirstUser stores the first user as a member of the default project,
// which is named projectName if that is not empty. However many try at once,
// one wins; for the others it is KindConflict.
func (s *Store) CreateFirstUser(ctx context.Context, u *relay.User, projectName string, by relay.Actor) error {
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		project, err := s.defaultProject(ctx, tx)
		if err != nil {
			return err
		}
		n, err := tx.NewSelect().Model((*userRow)(nil)).Count(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			return &relay.Error{Kind: relay.KindConflict, Detail: "Reprise is set up already: log in instead."}
		}
		if projectName != "" {
			_, err := tx.NewUpdate().Model((*projectRow)(nil)).Set("name = ?", sqldb.Clean(projectName)).
				Set("updated_at = ?", sqldb.Micros(s.Now())).Where("id = ?", project.ID).Exec(ctx)
			if err != nil {
				return err
			}
		}
		u.Owner = true
		return s.createUser(ctx, tx, u, []relay.ID{project.ID}, by)
	})
}

// UserByEmail finds a user by e-mail address, whatever its letter case.
func (s *Store) UserByEmail(ctx context.Context, email string) (relay.User, error) {
	var row userRow
	err := s.R.NewSelect().Model(&row).Where("email = ?", strings.ToLower(sqldb.Clean(email))).Scan(ctx)
	return row.open(), sqldb.Translate(err)
}

// User finds a user.
func (s *Store) User(ctx context.Context, id relay.ID) (relay.User, error) {
	var row userRow
	err := s.R.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
	return row.open(), sqldb.Translate(err)
}

// SetPassword stores the hash of a new password.
func (s *Store) SetPassword(ctx context.Context, id relay.ID, hash string, by relay.Actor) error {
	return s.WriteAudited(ctx, userEntry(id, "user.password_changed", by), func(ctx context.Context, tx bun.Tx) error {
		return sqldb.NeedOne(tx.NewUpdate().Model((*userRow)(nil)).Set("password_hash = ?", hash).Where("id = ?", id).Exec(ctx))
	})
}

// TouchLogin notes that a user logged in now.
func (s *Store) TouchLogin(ctx context.Context, id relay.ID) error {
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		return sqldb.NeedOne(tx.NewUpdate().Model((*userRow)(nil)).Set("last_login_at = ?", sqldb.Micros(s.Now())).Where("id = ?", id).Exec(ctx))
	})
}

// MemberOf reports whether a user is a member of a project.
func (s *Store) MemberOf(ctx context.Context, user, project relay.ID) (bool, error) {
	ok, err := s.R.NewSelect().Model((*membershipRow)(nil)).Where("user_id = ? AND project_id = ?", user, project).Exists(ctx)
	return ok, sqldb.Translate(err)
}

// acquaintances are those whom a user shares a project with, and the user.
func (s *Store) acquaintances(ctx context.Context, user relay.ID) ([]relay.ID, error) {
	var others []relay.ID
	err := s.R.NewSelect().Distinct().TableExpr("memberships AS mine").Join("JOIN memberships AS theirs ON theirs.project_id = mine.project_id").
		ColumnExpr("theirs.user_id").Where("mine.user_id = ? AND theirs.user_id <> mine.user_id", user).Scan(ctx, &others)
	return append(others, user), sqldb.Translate(err)
}
