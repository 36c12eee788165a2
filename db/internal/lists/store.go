package lists

import "github.com/reprise-dev/reprise/db/internal/settings"

// Store is the database with its lists and searches: events, deliveries, what
// an overview shows.
type Store struct{ *settings.Store }

// NewLists puts the lists on the configuration.
func NewLists(s *settings.Store) *Store { return &Store{s} }
