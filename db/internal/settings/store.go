package settings

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
)

// Store is the database with its configuration: projects, sources, endpoints
// and people. It keeps what is asked for all the time in memory, see Snapshot.
type Store struct {
	*sqldb.DB
	Current      atomic.Pointer[Snapshot]
	reading      chan struct{} // of who reads the configuration: one at a time
	unknownSlugs everySecond
	unreadable   sync.Map // ids of rows that cannot be read, and were told of
	keys         *keyCache
}

// NewSettings puts the configuration on a database.
func NewSettings(s *sqldb.DB) *Store {
	return &Store{DB: s, reading: make(chan struct{}, 1), keys: newKeyCache()}
}

// Follow reads the configuration, and keeps up with it until ctx ends.
func (s *Store) Follow(ctx context.Context) error {
	if err := s.ReloadConfig(ctx); err != nil {
		return err
	}
	s.Run(ctx, s.watchConfig)
	s.Run(ctx, s.touchKeys)
	return nil
}
