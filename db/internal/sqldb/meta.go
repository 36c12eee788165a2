package sqldb

import (
	"context"

	"github.com/uptrace/bun"
)

// SetMeta writes down one thing that is known of the database as a whole.
func SetMeta(ctx context.Context, tx bun.Tx, name string, number int64, bytes []byte) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO meta (name, number, bytes) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET number = excluded.number, bytes = excluded.bytes`, name, number, bytes)
	return err
}
