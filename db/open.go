package db

import (
	"context"
	"slices"
	"time"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/replays"
	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/db/internal/upkeep"
)

// Store is the database. It is safe for concurrent use.
type Store struct{ *upkeep.Store }

// Open connects, migrates if asked to, checks that the key fits what it
// sealed, and starts the goroutines that commit. Close ends them.
func Open(ctx context.Context, o sqldb.Options) (*Store, error) {
	base, err := sqldb.OpenDB(ctx, o)
	if err != nil {
		return nil, err
	}
	s := storeOn(base, o.PlanAtOnce)
	running, err := base.Start(ctx, append(slices.Clone(engine.EngineBulks), replays.ReplayBulks...), engine.ClaimStatements)
	if err == nil {
		err = s.Follow(running)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	s.Begin(running)
	return s, nil
}

// storeOn puts the parts of a store on each other.
func storeOn(base *sqldb.DB, planAtOnce time.Duration) *Store {
	return &Store{upkeep.NewUpkeep(replays.NewReplays(engine.NewEngine(lists.NewLists(settings.NewSettings(base))), planAtOnce))}
}

// Close waits for commits under way and closes the database.
func (s *Store) Close() error {
	s.End()
	return s.Store.Close()
}
