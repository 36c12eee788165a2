package sqldb

import (
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Rebind writes ? placeholders in PostgreSQL's way for statements that go
// past bun.
func (s *DB) Rebind(query string) string {
	if !s.PG {
		return query
	}
	var b strings.Builder
	n := 0
	for _, r := range query {
		if r == '?' {
			n++
			b.WriteString("$" + strconv.Itoa(n))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Using names a table and, on SQLite, the index to read it by. SQLite counts
// no rows: left to itself it takes the primary key for every list of a
// project and looks at each of its rows. PostgreSQL chooses well.
func (s *DB) Using(table, index string) string {
	if s.PG || index == "" {
		return table + " AS " + table
	}
	if index == ByKey {
		return table + " AS " + table + " NOT INDEXED"
	}
	return table + " AS " + table + " INDEXED BY " + index
}

// ByKey is in place of an index for reading a table by its primary key.
const ByKey = "the primary key"

// IsDeadlock reports whether a transaction ended since it and another waited for each other.
func IsDeadlock(err error) bool {
	var p *pgconn.PgError
	return errors.As(err, &p) && (p.Code == "40P01" || p.Code == "40001")
}

func isNoTable(err error) bool {
	var p *pgconn.PgError
	if errors.As(err, &p) {
		return p.Code == "42P01"
	}
	return err != nil && strings.Contains(err.Error(), "no such table")
}
