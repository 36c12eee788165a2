package settings

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
)

type sessionRow struct {
	bun.BaseModel `bun:"table:sessions"`
	Token         string `bun:",pk"`
	Data          []byte
	ExpiresAt     int64
}

// SessionStore keeps the dashboard's sessions in the way that scs wants.
type SessionStore struct{ s *Store }

// Sessions is the store of the dashboard's sessions.
func (s *Store) Sessions() *SessionStore { return &SessionStore{s} }

// FindCtx reads a session that has not expired.
func (t *SessionStore) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	var rows []sessionRow
	err = t.s.R.NewSelect().Model(&rows).Where("token = ? AND expires_at > ?", sqldb.Clean(token), sqldb.Micros(t.s.Now())).Scan(ctx)
	if err != nil || len(rows) == 0 {
		return nil, false, sqldb.Translate(err)
	}
	return rows[0].Data, true, nil
}

// CommitCtx stores a session, its data and its expiry, in place of what was
// there.
func (t *SessionStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	row := &sessionRow{Token: sqldb.Clean(token), Data: sqldb.Blob(data), ExpiresAt: sqldb.Micros(expiry)}
	return t.s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(row).On("CONFLICT (token) DO UPDATE").
			Set("data = excluded.data").Set("expires_at = excluded.expires_at").Exec(ctx)
		return err
	})
}

// DeleteCtx removes a session; one that is not there is no error.
func (t *SessionStore) DeleteCtx(ctx context.Context, token string) error {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	return t.s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*sessionRow)(nil)).Where("token = ?", sqldb.Clean(token)).Exec(ctx)
		return err
	})
}

// Find is FindCtx for callers without a context.
func (t *SessionStore) Find(token string) ([]byte, bool, error) {
	return t.FindCtx(context.Background(), token)
}

// Commit is CommitCtx for callers without a context.
func (t *SessionStore) Commit(token string, data []byte, expiry time.Time) error {
	return t.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx for callers without a context.
func (t *SessionStore) Delete(token string) error { return t.DeleteCtx(context.Background(), token) }
