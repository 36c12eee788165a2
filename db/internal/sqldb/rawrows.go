package sqldb

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"
)

// EachRaw hands the rows of a query, whose columns are all bytes or text, one
// by one to fn. The values are valid until fn returns; NULL is empty. It is
// for reading millions: nothing is kept of a row, and on PostgreSQL nothing
// converted either.
func (s *DB) EachRaw(ctx context.Context, q *bun.SelectQuery, columns int, fn func(values [][]byte)) error {
	values := make([][]byte, columns)
	if hot, ok := s.Hot.(*PGHot); ok {
		// The query has its arguments written out, and is not worth keeping.
		rows, err := hot.Pages.Query(ctx, q.String(), pgx.QueryExecModeDescribeExec)
		if err != nil {
			return Translate(err)
		}
		defer rows.Close()
		for rows.Next() {
			copy(values, rows.RawValues())
			fn(values)
		}
		return Translate(rows.Err())
	}
	rows, err := q.Rows(ctx)
	if err != nil {
		return Translate(err)
	}
	defer func() { _ = rows.Close() }()
	raw, into := make([]sql.RawBytes, columns), make([]any, columns)
	for i := range raw {
		into[i] = &raw[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i := range raw {
			values[i] = raw[i]
		}
		fn(values)
	}
	return Translate(rows.Err())
}
