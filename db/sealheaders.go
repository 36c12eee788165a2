package db

import (
	"context"
	"encoding/binary"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// The headers of a payload can hold the secret of their source, and whatever
// else a sender proves itself by. They are kept sealed: after a zero byte, which
// encoded headers never begin with, comes what box.seal makes of them. Before
// the headers stand the names of those that are credentials, and their length.
const sealedMark = 0

func (b *box) sealHeaders(event relay.ID, p *relay.Payload) []byte {
	var names relay.Headers
	for _, name := range p.Credentials {
		names = append(names, relay.Header{Name: name})
	}
	first := relay.EncodeHeaders(names)
	plain := append(binary.AppendUvarint(nil, uint64(len(first))), first...)
	return append([]byte{sealedMark}, b.seal(append(plain, relay.EncodeHeaders(p.Headers)...), "payloads", event)...)
}

// openHeaders reads what sealHeaders made, and the plain headers of before.
func (b *box) openHeaders(event relay.ID, stored []byte) (headers relay.Headers, credentials []string, err error) {
	if len(stored) == 0 || stored[0] != sealedMark {
		headers, err = relay.DecodeHeaders(stored)
		return headers, nil, err
	}
	plain, err := b.open(stored[1:], "payloads", event)
	if err != nil {
		return nil, nil, err
	}
	size, n := binary.Uvarint(plain)
	names, err := relay.DecodeHeaders(plain[n : n+int(size)])
	if err != nil {
		return nil, nil, err
	}
	for _, h := range names {
		credentials = append(credentials, h.Name)
	}
	headers, err = relay.DecodeHeaders(plain[n+int(size):])
	return headers, credentials, err
}

// sealBatch is how many payloads are sealed in one transaction.
const sealBatch = 200

// SealHeaders seals the headers of payloads that an earlier version left plain,
// some at a time, and reports whether there may be more. It notes how far it
// has come.
func (s *Store) SealHeaders(ctx context.Context) (more bool, err error) {
	if s.pg {
		return s.sealSome(ctx)
	}
	// What a row held before must not stay behind in the file.
	if _, err := s.w.ExecContext(ctx, "PRAGMA secure_delete = ON"); err != nil {
		return false, translate(err)
	}
	defer func() { _, _ = s.w.ExecContext(context.WithoutCancel(ctx), "PRAGMA secure_delete = OFF") }()
	if more, err = s.sealSome(ctx); err == nil && !more {
		_, err = s.w.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	}
	return more, translate(err)
}

func (s *Store) sealSome(ctx context.Context) (more bool, err error) {
	const cursor = "headers_sealed_to"
	err = s.later(ctx, func(ctx context.Context, tx bun.Tx) error {
		var at []relay.ID
		if err := tx.NewSelect().TableExpr("meta").Column("bytes").Where("name = ?", cursor).Scan(ctx, &at); err != nil {
			return err
		}
		q := tx.NewSelect().Model((*payloadRow)(nil)).Column("event_id", "headers").OrderExpr("event_id").Limit(sealBatch)
		if len(at) > 0 {
			q = q.Where("event_id > ?", at[0])
		}
		if s.pg {
			q = q.For("UPDATE")
		}
		var rows []payloadRow
		if err := q.Scan(ctx, &rows); err != nil {
			return err
		}
		for i := range rows {
			if err := s.sealRow(ctx, tx, &rows[i]); err != nil {
				return err
			}
		}
		if more = len(rows) == sealBatch; len(rows) == 0 {
			return nil
		}
		last := rows[len(rows)-1].EventID
		return setMeta(ctx, tx, cursor, 0, last[:])
	})
	return more, translate(err)
}

func (s *Store) sealRow(ctx context.Context, tx bun.Tx, r *payloadRow) error {
	if len(r.Headers) > 0 && r.Headers[0] == sealedMark {
		return nil
	}
	headers, err := relay.DecodeHeaders(r.Headers)
	if err != nil {
		return err
	}
	_, err = tx.NewUpdate().TableExpr("payloads").Set("headers = ?", s.box.sealHeaders(r.EventID, &relay.Payload{Headers: headers})).
		Where("event_id = ?", r.EventID).Exec(ctx)
	return err
}
