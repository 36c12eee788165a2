package sqldb

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"slices"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// Page asks for a part of a list, newest first.
type Page struct {
	Limit  int    // 1 to 100; 0: 25
	Cursor string // opaque, from the page before; empty: the newest
}

// Slice is one part of a list.
type Slice[T any] struct {
	Rows []T
	Next string // the cursor of the next part; empty: there is none
}

const (
	defaultLimit = 25
	maxLimit     = 100
)

// Most is how many rows a page has at most.
func (p Page) Most() int {
	if p.Limit <= 0 {
		return defaultLimit
	}
	return min(p.Limit, maxLimit)
}

// After narrows a query to what comes after the page's cursor and asks for
// one row more than the page holds. scope is the project and every filter:
// a cursor is good only for the list that it came from.
func (s *DB) After(q *bun.SelectQuery, p Page, scope string) (*bun.SelectQuery, error) {
	q = q.OrderExpr("id DESC").Limit(int64(p.Most() + 1))
	if p.Cursor == "" {
		return q, nil
	}
	last, err := s.OpenCursor(p.Cursor, scope)
	if err != nil {
		return nil, err
	}
	return q.Where("id < ?", last), nil
}

// SliceOf cuts the row too many off and makes the cursor from the last row left.
func SliceOf[T any](s *DB, rows []T, p Page, scope string, id func(T) relay.ID) Slice[T] {
	if len(rows) <= p.Most() {
		return Slice[T]{Rows: rows}
	}
	rows = rows[:p.Most()]
	return Slice[T]{Rows: rows, Next: s.Cursor(id(rows[len(rows)-1]), scope)}
}

// ConfigSlice is a page of what the snapshot holds, oldest first.
func ConfigSlice[T any](s *DB, all []*T, p Page, scope string, id func(*T) relay.ID) (Slice[T], error) {
	var last relay.ID
	if p.Cursor != "" {
		var err error
		if last, err = s.OpenCursor(p.Cursor, scope); err != nil {
			return Slice[T]{}, err
		}
	}
	rows := []T{}
	for _, one := range slices.Backward(all) {
		if oneID := id(one); last.IsZero() || bytes.Compare(oneID[:], last[:]) < 0 {
			rows = append(rows, *one)
		}
		if len(rows) > p.Most() {
			break
		}
	}
	return SliceOf(s, rows, p, scope, func(one T) relay.ID { return id(&one) }), nil
}

const cursorSum = 8

// Cursor seals where the next part of a list begins, for that list only.
func (s *DB) Cursor(last relay.ID, scope string) string {
	return base64.RawURLEncoding.EncodeToString(append(last[:], s.cursorSum(last, scope)...))
}

func (s *DB) cursorSum(last relay.ID, scope string) []byte {
	mac := hmac.New(sha256.New, []byte("cursor"))
	mac.Write(last[:])
	mac.Write([]byte(scope))
	return mac.Sum(nil)[:cursorSum]
}

// OpenCursor reads a cursor of a list.
func (s *DB) OpenCursor(cursor, scope string) (relay.ID, error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil && len(raw) == len(relay.ID{})+cursorSum {
		last := relay.ID(raw[:len(relay.ID{})])
		if hmac.Equal(raw[len(last):], s.cursorSum(last, scope)) {
			return last, nil
		}
	}
	return relay.ID{}, &relay.Error{Kind: relay.KindInvalidRequest,
		Detail: "The cursor is not one of this list with these filters. Start again without a cursor.",
		Fields: []relay.FieldError{{Field: "cursor", Message: "must be the next_cursor of the page before, with the same filters"}}}
}

// NeedOne turns a statement that touched no row into ErrNotFound.
func NeedOne(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return relay.ErrNotFound
	}
	return nil
}
