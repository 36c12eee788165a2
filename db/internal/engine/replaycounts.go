package engine

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// countSlots is over how many rows a number is spread, so that processes which
// count for one job seldom wait for each other.
const countSlots = 8

// replayMoves are deliveries of replay jobs that went from one status to another in
// a transaction. Their sums are kept by job and status; pending is what these leave
// of those made.
type replayMoves map[ReplayStatus]int64

// ReplayStatus is a status of deliveries of a replay job.
type ReplayStatus struct {
	Replay relay.ID
	Status relay.DeliveryStatus
}

// move counts one delivery; of those that no job made there is nothing to count.
func (m replayMoves) move(replay relay.ID, from, to relay.DeliveryStatus) {
	if replay.IsZero() || from == to {
		return
	}
	for status, n := range map[relay.DeliveryStatus]int64{from: -1, to: 1} {
		if status != relay.DeliveryPending {
			m[ReplayStatus{replay, status}] += n
		}
	}
}

var addReplayCounts = sqldb.Insertion("replay_counts", "ON CONFLICT (replay_id, status, slot) DO UPDATE SET n = replay_counts.n + excluded.n", "",
	sqldb.ColumnsOf(sqldb.Cols(sqldb.KBytes, "replay_id"), sqldb.Cols(sqldb.KText, "status"), sqldb.Cols(sqldb.KInt, "slot n")))

// countMoves adds to the sums, in one order so that transactions cannot wait for each
// other in a circle.
func (s *Store) countMoves(m replayMoves) *sqldb.Work {
	w := &sqldb.Work{Bulk: addReplayCounts}
	keys := make([]ReplayStatus, 0, len(m))
	for k, n := range m {
		if n != 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b ReplayStatus) int {
		return cmp.Or(bytes.Compare(a.Replay[:], b.Replay[:]), cmp.Compare(a.Status, b.Status))
	})
	for _, k := range keys {
		w.Add(k.Replay[:], string(k.Status), s.slot, m[k])
	}
	return w
}

// saveMoves is countMoves within a transaction of another kind.
func (s *Store) saveMoves(ctx context.Context, tx bun.Tx, m replayMoves) error {
	w := s.countMoves(m)
	for _, row := range w.Rows {
		if _, err := tx.Tx.ExecContext(ctx, s.Rebind(w.Bulk.Sqlite), row...); err != nil {
			return err
		}
	}
	return nil
}

// ReplayCounts are the deliveries of some jobs by status, without those that are
// pending.
func (s *Store) ReplayCounts(ctx context.Context, ids []relay.ID) (map[ReplayStatus]int, error) {
	out := map[ReplayStatus]int{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []struct {
		ReplayID relay.ID
		Status   relay.DeliveryStatus
		N        int
	}
	err := s.R.NewSelect().Table("replay_counts").ColumnExpr("replay_id, status, CAST(sum(n) AS INTEGER) AS n").
		Where("replay_id IN (?)", bun.List(ids)).GroupExpr("replay_id, status").Scan(ctx, &rows)
	for _, r := range rows {
		out[ReplayStatus{Replay: r.ReplayID, Status: r.Status}] = r.N
	}
	return out, sqldb.Translate(err)
}
