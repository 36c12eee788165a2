package settings

import (
	"bytes"
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

const (
	// idempotencyKept is for how long an answer is given again.
	idempotencyKept = 24 * time.Hour
	// idempotencyRun is how long a request may run before its key is free
	// again: its process must have died.
	idempotencyRun = time.Minute
)

// StoredResponse is the answer to a request that came with an Idempotency-Key.
type StoredResponse struct {
	Status      int
	ContentType string
	Location    string // empty: the answer names none
	Body        []byte
}

type idempotencyRow struct {
	bun.BaseModel `bun:"table:idempotency_keys"`
	Caller        []byte `bun:",pk"`
	Key           string `bun:",pk"`
	RequestHash   []byte
	Status        int // 0: the request still runs
	ContentType   string
	Location      string
	Body          []byte // sealed: answers may show secrets that are shown once
	CreatedAt     int64
	ExpiresAt     int64
}

// BeginIdempotent takes an Idempotency-Key for a request of a caller. It
// returns nil if the request is to be carried out, which must end in
// FinishIdempotent or AbortIdempotent, or the answer that it got before.
func (s *Store) BeginIdempotent(ctx context.Context, caller relay.ID, key string, hash []byte) (*StoredResponse, error) {
	var stored *StoredResponse
	err := s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		stored = nil
		now := s.Now()
		row := &idempotencyRow{Caller: caller[:], Key: sqldb.Clean(key), RequestHash: hash, Body: []byte{},
			CreatedAt: sqldb.Micros(now), ExpiresAt: sqldb.Micros(now.Add(idempotencyKept))}
		result, err := tx.NewInsert().Model(row).On("CONFLICT (caller, key) DO NOTHING").Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return err
		}
		var old idempotencyRow
		q := tx.NewSelect().Model(&old).Where("caller = ? AND key = ?", row.Caller, row.Key)
		if s.PG {
			q = q.For("UPDATE")
		}
		if err := q.Scan(ctx); err != nil {
			return err
		}
		dead := old.Status == 0 && old.CreatedAt <= sqldb.Micros(now.Add(-idempotencyRun))
		if old.ExpiresAt <= sqldb.Micros(now) || dead {
			_, err := tx.NewUpdate().Model(row).WherePK().Exec(ctx)
			return err
		}
		stored, err = s.openStored(caller, &old, hash)
		return err
	})
	return stored, err
}

func (s *Store) openStored(caller relay.ID, old *idempotencyRow, hash []byte) (*StoredResponse, error) {
	if !bytes.Equal(old.RequestHash, hash) {
		return nil, relay.Invalid(relay.FieldError{Field: "Idempotency-Key", Message: "was used for another request; take a new key"})
	}
	if old.Status == 0 {
		return nil, &relay.Error{Kind: relay.KindConflict, RetryAfter: time.Second,
			Detail: "The first request with this Idempotency-Key is still running."}
	}
	body, err := s.Box.Open(old.Body, "idempotency_keys", caller)
	if err != nil {
		return nil, err
	}
	return &StoredResponse{Status: old.Status, ContentType: old.ContentType, Location: old.Location, Body: body}, nil
}

// FinishIdempotent stores the answer that a request got.
func (s *Store) FinishIdempotent(ctx context.Context, caller relay.ID, key string, answer StoredResponse) error {
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*idempotencyRow)(nil)).Set("status = ?", answer.Status).
			Set("content_type = ?", sqldb.Clean(answer.ContentType)).Set("location = ?", sqldb.Clean(answer.Location)).
			Set("body = ?", s.Box.Seal(answer.Body, "idempotency_keys", caller)).
			Where("caller = ? AND key = ? AND status = 0", caller[:], sqldb.Clean(key)).Exec(ctx)
		return err
	})
}

// AbortIdempotent frees the key of a request that failed without effect.
func (s *Store) AbortIdempotent(ctx context.Context, caller relay.ID, key string) error {
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*idempotencyRow)(nil)).
			Where("caller = ? AND key = ? AND status = 0", caller[:], sqldb.Clean(key)).Exec(ctx)
		return err
	})
}
