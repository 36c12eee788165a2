package db

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// ClaimDemo makes a database that holds nothing yet the demo's, which it says by
// fresh. A database that is in use and not the demo's is KindConflict: what people
// made must not be changed for a show.
func (s *Store) ClaimDemo(ctx context.Context) (fresh bool, err error) {
	const name = "demo"
	err = s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		ours, err := tx.NewSelect().Table("meta").Where("name = ?", name).Exists(ctx)
		if err != nil || ours {
			return err
		}
		for _, table := range []string{"sources", "endpoints", "events"} {
			used, err := tx.NewSelect().Table(table).ColumnExpr("1").Exists(ctx)
			if err != nil {
				return err
			}
			if used {
				return &relay.Error{Kind: relay.KindConflict, Detail: "This database is in use and not the demo's. Name another one in DATABASE_URL, or start without --demo."}
			}
		}
		fresh = true
		_, err = tx.ExecContext(ctx, "INSERT INTO meta (name, number) VALUES (?, 1)", name)
		return err
	})
	return fresh, err
}
