package engine

import (
	"context"
	"slices"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
)

// startWriters: on PostgreSQL transactions run beside each other; SQLite
// has one writer, which commits whatever there is together.
func (s *Store) startWriters(ctx context.Context) {
	s.receiver = sqldb.NewBatchWriter(s.commitItems)
	s.recorder = s.receiver
	if s.PG {
		s.recorder = sqldb.NewBatchWriter(s.commitItems).Start(ctx, 2)
		s.receiver.Start(ctx, 2)
	} else {
		s.receiver.Start(ctx, 1)
	}
	s.replayed = sqldb.NewBackgroundWriter(s.Background, s.Hot.BackgroundRows(), s.commitReplayed, s.Hot.Sync).Start(ctx)
}

// commitItems writes a batch in one transaction.
func (s *Store) commitItems(ctx context.Context, batch []sqldb.CommitItem) error {
	var in []*reception
	var out []*recording
	var works []*sqldb.Work
	for _, item := range batch {
		switch item := item.(type) {
		case *reception:
			in = append(in, item)
		case *recording:
			out = append(out, item)
		case *claiming:
			works = append(works, &sqldb.Work{Do: item.run})
		}
	}
	// A claim that is lost in a power cut only makes a delivery due again.
	d := sqldb.Durable
	if len(in)+len(out) == 0 {
		d = sqldb.Lazy
	}
	s.Batches.Observe(float64(len(batch)))
	return s.commitBatch(ctx, d, in, recordingsOf(out), works)
}

// commitBatch writes what came in and what came of claims, and runs works before
// that. The counters come last, for others wait for their rows.
func (s *Store) commitBatch(ctx context.Context, d sqldb.Durability, in []*reception, out *recordings, works []*sqldb.Work) error {
	var err error
	if !out.inPhases() && !slices.ContainsFunc(in, (*reception).holdsKeys) {
		count := counters{}
		works = append(append(works, out.works(count)...), receptionWorks(in, count)...)
		err = s.Hot.Once(ctx, d, append(works, count.works()...)...)
	} else {
		err = s.Hot.Phases(ctx, d, func(run func(...*sqldb.Work) error) error {
			if err := deduplicate(in, run); err != nil {
				return err
			}
			if err := run(works...); err != nil {
				return err
			}
			count, moves := counters{}, replayMoves{}
			rest, err := out.begin(run, count, moves)
			if err != nil {
				return err
			}
			rest = append(append(rest, receptionWorks(in, count)...), count.works()...)
			return run(append(rest, s.countMoves(moves))...)
		})
	}
	if err != nil {
		return err
	}
	s.rejected.note(in)
	out.note()
	return nil
}
