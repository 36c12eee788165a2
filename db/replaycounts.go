package db

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// countSlots is over how many rows a number is spread, so that processes which
// count for one job seldom wait for each other.
const countSlots = 8

// replayMoves are deliveries of replay jobs that went from one status to another in
// a transaction. Their sums are kept by job and status; pending is what these leave
// of those made.
type replayMoves map[replayStatus]int64

type replayStatus struct {
	replay relay.ID
	status relay.DeliveryStatus
}

// move counts one delivery; of those that no job made there is nothing to count.
func (m replayMoves) move(replay relay.ID, from, to relay.DeliveryStatus) {
	if replay.IsZero() || from == to {
		return
	}
	for status, n := range map[relay.DeliveryStatus]int64{from: -1, to: 1} {
		if status != relay.DeliveryPending {
			m[replayStatus{replay, status}] += n
		}
	}
}

var addReplayCounts = insertion("replay_counts", "ON CONFLICT (replay_id, status, slot) DO UPDATE SET n = replay_counts.n + excluded.n", "",
	columnsOf(cols(kBytes, "replay_id"), cols(kText, "status"), cols(kInt, "slot n")))

// countMoves adds to the sums, in one order so that transactions cannot wait for each
// other in a circle.
func (s *Store) countMoves(m replayMoves) *work {
	w := &work{bulk: addReplayCounts}
	keys := make([]replayStatus, 0, len(m))
	for k, n := range m {
		if n != 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b replayStatus) int {
		return cmp.Or(bytes.Compare(a.replay[:], b.replay[:]), cmp.Compare(a.status, b.status))
	})
	for _, k := range keys {
		w.add(k.replay[:], string(k.status), s.slot, m[k])
	}
	return w
}

// saveMoves is countMoves within a transaction of another kind.
func (s *Store) saveMoves(ctx context.Context, tx bun.Tx, m replayMoves) error {
	w := s.countMoves(m)
	for _, row := range w.rows {
		if _, err := tx.Tx.ExecContext(ctx, s.rebind(w.bulk.sqlite), row...); err != nil {
			return err
		}
	}
	return nil
}

// replayCounts are the deliveries of some jobs by status, without those that are
// pending.
func (s *Store) replayCounts(ctx context.Context, ids []relay.ID) (map[replayStatus]int, error) {
	out := map[replayStatus]int{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []struct {
		ReplayID relay.ID
		Status   relay.DeliveryStatus
		N        int
	}
	err := s.r.NewSelect().Table("replay_counts").ColumnExpr("replay_id, status, CAST(sum(n) AS INTEGER) AS n").
		Where("replay_id IN (?)", bun.List(ids)).GroupExpr("replay_id, status").Scan(ctx, &rows)
	for _, r := range rows {
		out[replayStatus{r.ReplayID, r.Status}] = r.N
	}
	return out, translate(err)
}
