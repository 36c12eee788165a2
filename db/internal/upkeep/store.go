package upkeep

import "github.com/reprise-dev/reprise/db/internal/replays"

// Store is the database with what keeps it small and whole: retention, pruning,
// the sealing of old rows, and what it tells of itself.
type Store struct{ *replays.Store }

// NewUpkeep puts the upkeep on everything else.
func NewUpkeep(s *replays.Store) *Store { return &Store{s} }
