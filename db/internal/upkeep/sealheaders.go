package upkeep

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// SealBatch is how many payloads are sealed in one transaction.
const SealBatch = 200

// SealHeaders seals the headers of payloads that an earlier version left plain,
// some at a time, and reports whether there may be more. It notes how far it
// has come.
func (s *Store) SealHeaders(ctx context.Context) (more bool, err error) {
	if s.PG {
		return s.sealSome(ctx)
	}
	// What a row held before must not stay behind in the file.
	if _, err := s.W.ExecContext(ctx, "PRAGMA secure_delete = ON"); err != nil {
		return false, sqldb.Translate(err)
	}
	defer func() { _, _ = s.W.ExecContext(context.WithoutCancel(ctx), "PRAGMA secure_delete = OFF") }()
	if more, err = s.sealSome(ctx); err == nil && !more {
		_, err = s.W.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	}
	return more, sqldb.Translate(err)
}

func (s *Store) sealSome(ctx context.Context) (more bool, err error) {
	const cursor = "headers_sealed_to"
	err = s.Later(ctx, func(ctx context.Context, tx bun.Tx) error {
		var at []relay.ID
		if err := tx.NewSelect().TableExpr("meta").Column("bytes").Where("name = ?", cursor).Scan(ctx, &at); err != nil {
			return err
		}
		q := tx.NewSelect().Model((*engine.PayloadRow)(nil)).Column("event_id", "headers").OrderExpr("event_id").Limit(SealBatch)
		if len(at) > 0 {
			q = q.Where("event_id > ?", at[0])
		}
		if s.PG {
			q = q.For("UPDATE")
		}
		var rows []engine.PayloadRow
		if err := q.Scan(ctx, &rows); err != nil {
			return err
		}
		for i := range rows {
			if err := s.sealRow(ctx, tx, &rows[i]); err != nil {
				return err
			}
		}
		if more = len(rows) == SealBatch; len(rows) == 0 {
			return nil
		}
		last := rows[len(rows)-1].EventID
		return sqldb.SetMeta(ctx, tx, cursor, 0, last[:])
	})
	return more, sqldb.Translate(err)
}

func (s *Store) sealRow(ctx context.Context, tx bun.Tx, r *engine.PayloadRow) error {
	if len(r.Headers) > 0 && r.Headers[0] == sqldb.SealedMark {
		return nil
	}
	headers, err := relay.DecodeHeaders(r.Headers)
	if err != nil {
		return err
	}
	_, err = tx.NewUpdate().TableExpr("payloads").Set("headers = ?", s.Box.SealHeaders(r.EventID, &relay.Payload{Headers: headers})).
		Where("event_id = ?", r.EventID).Exec(ctx)
	return err
}
