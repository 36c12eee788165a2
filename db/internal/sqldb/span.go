package sqldb

import (
	"bytes"
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// IDSpan is a range of ids, the second exclusive.
type IDSpan struct{ From, Before []byte }

// Within bounds a query to a time range and to what is newer than since. Ids
// begin with the time, give or take, which lets the index do most of it.
func Within(q *bun.SelectQuery, column string, from, to time.Time, since relay.ID) *bun.SelectQuery {
	const slack = 2 * time.Second
	if !from.IsZero() {
		q = q.Where("id >= ?", IDBound(from.Add(-slack))).Where("? >= ?", bun.Ident(column), from.UnixMicro())
	}
	if !to.IsZero() {
		q = q.Where("id < ?", IDBound(to.Add(slack))).Where("? < ?", bun.Ident(column), to.UnixMicro())
	}
	if !since.IsZero() {
		q = q.Where("id > ?", since)
	}
	return q
}

// IDBound is IDFloor as bytes: the floor of the beginning of time is the zero
// id, which would read as NULL.
func IDBound(t time.Time) []byte {
	id := relay.IDFloor(t)
	return id[:]
}

// CountOf counts the rows of a query that is bounded.
func (s *DB) CountOf(ctx context.Context, some *bun.SelectQuery) (int, error) {
	n, err := s.R.NewSelect().TableExpr("(?) AS capped", some).Count(ctx)
	return int(n), Translate(err)
}

// NextID is the smallest id after one.
func NextID(id relay.ID) []byte {
	for i := len(id) - 1; i >= 0; i-- {
		id[i]++
		if id[i] != 0 {
			break
		}
	}
	return id[:]
}

// ZeroID comes before every id.
func ZeroID() []byte { return make([]byte, len(relay.ID{})) }

// MaxBytes is the greater of two ids.
func MaxBytes(a, b []byte) []byte {
	if bytes.Compare(a, b) > 0 {
		return a
	}
	return b
}
