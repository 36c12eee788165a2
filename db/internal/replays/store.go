package replays

import (
	"cmp"
	"sync/atomic"
	"time"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/relay"
)

// Store is the database with its replay jobs: planning, walking and controlling
// them.
type Store struct {
	*engine.Store
	onReplay   atomic.Pointer[func(relay.ID)]
	PlanAtOnce time.Duration
	Plans      PlanSizes
}

// NewReplays puts replay jobs on the engine.
func NewReplays(s *engine.Store, atOnce time.Duration) *Store {
	return &Store{Store: s, PlanAtOnce: cmp.Or(atOnce, PlanAtOnce), Plans: DefaultPlanSizes}
}
