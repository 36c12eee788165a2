package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/migrate"
)

// Migrations are append-only: a step that was released never changes.
func Migrations() *migrate.Migrations {
	m := migrate.NewMigrations()
	m.Add(migrate.Migration{Name: "0001", Comment: "initial", Up: steps(schema0001)})
	m.Add(migrate.Migration{Name: "0002", Comment: "where repeated answers point to", Up: steps(schema0002)})
	m.Add(migrate.Migration{Name: "0003", Comment: "many pairs in one row of a plan", Up: steps(schema0003)})
	m.Add(migrate.Migration{Name: "0004", Comment: "plans as they are written", Up: steps(schema0004)})
	m.Add(migrate.Migration{Name: "0005", Comment: "the path behind a source's slug", Up: steps(schema0005)})
	m.Add(migrate.Migration{Name: "0006", Comment: "deliveries that are tried alone", Up: steps(schema0006)})
	m.Add(migrate.Migration{Name: "0007", Comment: "whom entries without a project are about", Up: steps(schema0007)})
	m.Add(migrate.Migration{Name: "0008", Comment: "logs of rates", Up: steps(schema0008)})
	m.Add(migrate.Migration{Name: "0009", Comment: "planning part by part", Up: steps(schema0009)})
	m.Add(migrate.Migration{Name: "0010", Comment: "counts of replay jobs", Up: steps(schema0010)})
	return m
}

// steps runs one statement after another in one transaction. Statements are
// written once for both databases, with BYTES, INT8 and NOROWID standing for
// what differs; those that begin with POSTGRES are for that only. A step can
// run again: the process may have died before it was noted as done.
func steps(schema string) func(context.Context, *migrate.Migrator, *migrate.Migration) error {
	return func(ctx context.Context, m *migrate.Migrator, _ *migrate.Migration) error {
		words := strings.NewReplacer("BYTES", "BYTEA", "NOROWID", "", "INT8", "BIGINT")
		if m.DB().Dialect().Name() == dialect.SQLite {
			words = strings.NewReplacer("BYTES", "BLOB", "NOROWID", "WITHOUT ROWID", "INT8", "INTEGER", "ADD COLUMN IF NOT EXISTS", "ADD COLUMN")
		}
		return m.DB().RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
			for statement := range strings.SplitSeq(words.Replace(schema), ";") {
				statement, special := strings.CutPrefix(strings.TrimSpace(statement), "POSTGRES ")
				if statement == "" || special && m.DB().Dialect().Name() == dialect.SQLite {
					continue
				}
				if _, err := tx.Tx.ExecContext(ctx, statement); err != nil && !strings.Contains(err.Error(), "duplicate column name") {
					return fmt.Errorf("%w in %s", err, statement)
				}
			}
			return nil
		})
	}
}

// SchemaError says that the database has migrations which this program does
// not know: a newer version made them.
type SchemaError struct{ Unknown []string }

func (e *SchemaError) Error() string {
	return fmt.Sprintf("the database was migrated by a newer version of Reprise (unknown steps: %s); run that version or a newer one",
		strings.Join(e.Unknown, ", "))
}

func (s *DB) migrator() *migrate.Migrator {
	return migrate.NewMigrator(s.W, Migrations(), migrate.WithMarkAppliedOnSuccess(true),
		migrate.WithTableName("schema_migrations"), migrate.WithLocksTableName("schema_migration_locks"))
}

// migrate brings the schema up to date. The caller holds the migration lock.
func (s *DB) migrate(ctx context.Context) error {
	m := s.migrator()
	if err := m.Init(ctx); err != nil {
		return fmt.Errorf("preparing migrations: %w", err)
	}
	if err := refuseUnknown(ctx, m); err != nil {
		return err
	}
	if _, err := m.Migrate(ctx); err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	return nil
}

func refuseUnknown(ctx context.Context, m *migrate.Migrator) error {
	unknown, err := m.MissingMigrations(ctx)
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	if len(unknown) == 0 {
		return nil
	}
	e := &SchemaError{}
	for _, u := range unknown {
		e.Unknown = append(e.Unknown, u.Name)
	}
	return e
}

// ErrOutdated says that the schema is older than this program.
var ErrOutdated = errors.New("the database schema is not up to date: run `reprise migrate`")

// checkSchema is an error unless the schema is just what this program makes.
func (s *DB) checkSchema(ctx context.Context) error {
	m := s.migrator()
	steps, err := m.MigrationsWithStatus(ctx)
	if isNoTable(err) {
		return ErrOutdated
	}
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	if err := refuseUnknown(ctx, m); err != nil {
		return err
	}
	if len(steps.Unapplied()) > 0 {
		return ErrOutdated
	}
	return nil
}
