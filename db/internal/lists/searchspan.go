package lists

import (
	"context"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// searchRows is how many bodies are read at a time to be looked into.
const searchRows = 64

// Found lists the events of a query, of which the ids go from one to before
// another, in which a search finds what it looks for. The database says which
// bodies may hold it; headers are sealed, so they are opened here.
func (s *Store) Found(ctx context.Context, events *bun.SelectQuery, text string, span sqldb.IDSpan) ([]relay.ID, error) {
	search, stored := relay.NewSearch(text), relay.NewSearch(sqldb.Clean(text)) // as text columns hold it
	hints, exact := search.Hints()
	q := events.ColumnExpr("events.id, events.event_type, coalesce(events.idempotency_key, '')")
	if s.PG { // which reads two ranges side by side sooner than one row after another
		q = q.Join("LEFT JOIN (SELECT event_id AS searched, headers, body FROM payloads WHERE event_id >= ? AND event_id < ?) AS p ON searched = events.id",
			span.From, span.Before)
	} else {
		q = q.Join("LEFT JOIN (SELECT event_id AS searched, headers, body FROM payloads) AS p ON searched = events.id")
	}
	q = q.ColumnExpr("p.headers").ColumnExpr("CASE WHEN ? THEN '1' ELSE '' END", s.hinted("p.body", hints))
	var ids, maybe []relay.ID
	err := s.EachRaw(ctx, q, 5, func(row [][]byte) {
		id := relay.ID(row[0])
		hinted := len(row[4]) > 0
		if hinted && exact || stored.InText(string(row[1])) || stored.InText(string(row[2])) || s.inHeaders(search, id, row[3]) {
			ids = append(ids, id)
		} else if hinted {
			maybe = append(maybe, id)
		}
	})
	for len(maybe) > 0 && err == nil {
		part := maybe[:min(len(maybe), searchRows)]
		maybe = maybe[len(part):]
		bodies := s.R.NewSelect().TableExpr("payloads").Column("event_id", "body").Where("event_id IN (?)", bun.List(part))
		err = s.EachRaw(ctx, bodies, 2, func(row [][]byte) {
			if search.InBody(string(row[1])) {
				ids = append(ids, relay.ID(row[0]))
			}
		})
	}
	return ids, err
}

func (s *Store) inHeaders(search *relay.Search, event relay.ID, stored []byte) bool {
	headers, credentials, err := s.Box.OpenHeaders(event, stored)
	return err == nil && search.InHeaders(&relay.Payload{Headers: headers, Credentials: credentials})
}

// hinted is a condition on a column of bytes: that with ASCII letters lowered it
// holds one of some byte strings.
func (s *Store) hinted(column string, hints []string) schema.QueryWithArgs {
	if s.PG {
		// Text that any bytes can be written as; its letters are lowered as in C.
		escaped := make([]string, len(hints))
		for i, h := range hints {
			escaped[i] = escapeBytes(h)
		}
		if len(hints) == 1 {
			return schema.SafeQuery("position(? in lower(encode("+column+", 'escape') COLLATE \"C\")) > 0", []any{escaped[0]})
		}
		return schema.SafeQuery("EXISTS (SELECT 1 FROM (SELECT lower(encode("+column+", 'escape') COLLATE \"C\") AS lowered OFFSET 0) AS l, (VALUES "+
			strings.TrimSuffix(strings.Repeat("(?::text), ", len(hints)), ", ")+") AS h(hint) WHERE position(h.hint in l.lowered) > 0)", anys(escaped))
	}
	conditions := make([]string, len(hints))
	args := make([]any, len(hints))
	for i, h := range hints {
		conditions[i], args[i] = "instr(CAST(lower(CAST("+column+" AS TEXT)) AS BLOB), ?) > 0", []byte(h)
	}
	return schema.SafeQuery("("+strings.Join(conditions, " OR ")+")", args)
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// escapeBytes writes bytes as PostgreSQL's encode does with 'escape'.
func escapeBytes(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == 0 || c >= 0x80:
			b.Write([]byte{'\\', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
		case c == '\\':
			b.WriteString(`\\`)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
