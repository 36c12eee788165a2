package sqldb

import (
	"context"
	"errors"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// demoName is where meta says that a database is the demo's: with number 1 while
// it is being filled and 2 when it is full, and bytes with the ids of the sample
// endpoints.
const (
	demoName    = "demo"
	demoClaimed = 1
	demoFull    = 2
)

// usedTables are those that something is in when people use a database, and
// demoTables those that filling a demo writes to.
var (
	usedTables = []string{"users", "api_keys", "sources", "endpoints", "events"}
	demoTables = append([]string{"memberships", "sessions", "secrets", "payloads", "dedup_keys", "deliveries", "attempts", "replays", "replay_pairs", "replay_counts",
		"audit_log", "idempotency_keys", "stats", "leases", "endpoint_windows"}, usedTables...)
)

var errNoDemo = &relay.Error{Kind: relay.KindConflict, Detail: "This database is in use and not the demo's, so nothing was changed in it. " +
	"Name another one in DATABASE_URL, start without --demo, or, if it was a demo's of an earlier version, remove it."}

// refuseUsed is KindConflict for a database that people use, or that an earlier
// version made. It only reads, and is asked before anything is written.
func (s *DB) refuseUsed(ctx context.Context) error {
	ours, err := s.W.NewSelect().Table("meta").Where("name = ?", demoName).Exists(ctx)
	if isNoTable(err) {
		return nil
	}
	if err != nil || ours {
		return err
	}
	for _, table := range usedTables {
		used, err := s.W.NewSelect().Table(table).ColumnExpr("1").Limit(1).Exists(ctx)
		if err != nil && !isNoTable(err) {
			return err
		}
		if used {
			return errNoDemo
		}
	}
	projects, err := s.W.NewSelect().Table("projects").Count(ctx)
	if err == nil && projects > 1 {
		return errNoDemo
	}
	return err
}

// claimDemo makes a database the demo's that is empty, or whose filling was cut
// off: that begins anew.
func (s *DB) claimDemo(ctx context.Context) error {
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var state []int64
		if err := tx.NewSelect().Table("meta").Column("number").Where("name = ?", demoName).Scan(ctx, &state); err != nil {
			return err
		}
		if len(state) > 0 && state[0] == demoFull {
			return nil
		}
		if len(state) == 0 { // nothing is in it
			return SetMeta(ctx, tx, demoName, demoClaimed, nil)
		}
		for _, table := range demoTables {
			if _, err := tx.NewDelete().Table(table).Where("1 = 1").Exec(ctx); err != nil {
				return err
			}
		}
		if _, err := tx.NewDelete().Table("meta").Where("name NOT IN ('config_version', 'key_check')").Exec(ctx); err != nil {
			return err
		}
		return SetMeta(ctx, tx, demoName, demoClaimed, nil)
	})
}

// endClaim is for a database whose filling was cut off and that is served without
// the demo: what comes into it from now on is not the demo's to clear.
func (s *DB) endClaim(ctx context.Context) error {
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Table("meta").Where("name = ? AND number = ?", demoName, demoClaimed).Exec(ctx)
		return err
	})
}

// DemoEndpoints are the sample endpoints of the demo, in the order in which
// DemoFilled was told of them; none if it has yet to be filled.
func (s *DB) DemoEndpoints(ctx context.Context) ([]relay.ID, error) {
	var rows []struct {
		Number int64
		Bytes  []byte
	}
	err := s.R.NewSelect().Table("meta").Column("number", "bytes").Where("name = ?", demoName).Scan(ctx, &rows)
	if err != nil || len(rows) == 0 || rows[0].Number != demoFull {
		return nil, Translate(err)
	}
	var ids []relay.ID
	for b := rows[0].Bytes; len(b) >= len(relay.ID{}); b = b[len(relay.ID{}):] {
		ids = append(ids, relay.ID(b[:len(relay.ID{})]))
	}
	return ids, nil
}

// DemoFilled notes that the demo has everything that it shows.
func (s *DB) DemoFilled(ctx context.Context, endpoints []relay.ID) error {
	if len(endpoints) == 0 {
		return errors.New("db: a demo has endpoints")
	}
	var b []byte
	for _, id := range endpoints {
		b = append(b, id[:]...)
	}
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return SetMeta(ctx, tx, demoName, demoFull, b) })
}
