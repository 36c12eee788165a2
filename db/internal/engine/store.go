package engine

import (
	"context"
	"math/rand/v2"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
)

// Store is the database with the statements that deliveries go through: received,
// claimed, recorded, given back, and what people do with single ones.
type Store struct {
	*lists.Store
	slot     int64 // of this process, in sums that several add to
	Batches  prometheus.Histogram
	receiver *sqldb.BatchWriter
	recorder *sqldb.BatchWriter
	replayed *sqldb.BackgroundWriter
	rejected *rejections
}

// NewEngine puts the engine's statements on the lists.
func NewEngine(s *lists.Store) *Store {
	return &Store{Store: s, slot: rand.Int64N(countSlots), Batches: batchSizes(), rejected: newRejections()}
}

// Begin starts the goroutines that commit.
func (s *Store) Begin(ctx context.Context) {
	s.startWriters(ctx)
	s.Run(ctx, s.trimRejections)
}

// End waits for commits under way.
func (s *Store) End() {
	if s.receiver == nil {
		return
	}
	s.receiver.Close()
	if s.recorder != s.receiver {
		s.recorder.Close()
	}
	s.replayed.Close()
}

// batchSizes counts how many requests share a commit.
func batchSizes() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "reprise_commit_batch_size", Help: "Requests, claims and recordings that shared a commit.",
		Buckets: []float64{1, 2, 5, 10, 20, 50, 100, 200},
	})
}
