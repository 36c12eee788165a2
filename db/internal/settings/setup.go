package settings

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
)

// setupName is where the hash of the token of the set-up link lies.
const setupName = "setup_token"

// OpenSetup makes the token with which the first user can be made, in place of
// one that was made before. It is empty if there is a user.
func (s *Store) OpenSetup(ctx context.Context) (token string, err error) {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails since Go 1.24
	token = hex.EncodeToString(raw)
	sum := sha256.Sum256([]byte(token))
	err = s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := tx.NewSelect().Model((*userRow)(nil)).Count(ctx)
		if err != nil || n > 0 {
			token = ""
			return err
		}
		return sqldb.SetMeta(ctx, tx, setupName, 0, sum[:])
	})
	return token, err
}

// IsSetupToken reports whether a token is the one that the first user can be
// made with. Making a user spends it.
func (s *Store) IsSetupToken(ctx context.Context, token string) (bool, error) {
	var stored [][]byte
	if err := s.R.NewSelect().TableExpr("meta").Column("bytes").Where("name = ?", setupName).Scan(ctx, &stored); err != nil {
		return false, sqldb.Translate(err)
	}
	sum := sha256.Sum256([]byte(token))
	return len(stored) == 1 && subtle.ConstantTimeCompare(sum[:], stored[0]) == 1, nil
}
