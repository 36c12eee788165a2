package db

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// packedPairs is how many pairs one row of a plan holds: enough to make a
// million of them quick to write, few enough to be read for one page, and for
// a row to fit in a page of 8 kB, which PostgreSQL is told to keep it in.
const packedPairs = 200

var insertPairs = insertion("replay_pairs", "", "", columnsOf(cols(kBytes, "replay_id"), cols(kInt, "part"), cols(kBytes, "pairs")))

// partsOf are rows of pairs, which are in order, from a part on.
func partsOf(job relay.ID, part int64, pairs []pairID) *work {
	rows := &work{bulk: insertPairs}
	for some := range slices.Chunk(pairs, packedPairs) {
		rows.add(job[:], part, packPairs(some))
		part++
	}
	return rows
}

const pairBytes = 2 * len(relay.ID{})

// packPairs writes pairs one behind the other: the event's id, the endpoint's.
func packPairs(pairs []pairID) []byte {
	out := make([]byte, 0, len(pairs)*pairBytes)
	for _, p := range pairs {
		out = append(append(out, p.event[:]...), p.endpoint[:]...)
	}
	return out
}

// nextPairs are the pairs of a job after where it stands, n at least if there are
// as many, and whether those were all.
func (s *Store) nextPairs(ctx context.Context, row *replayRow, n int) (pairs []pair, all bool, err error) {
	rows, err := s.r.NewSelect().Table("replay_pairs").Column("part", "pairs").
		Where("replay_id = ? AND part >= ?", row.ID, row.CursorPart).OrderExpr("part").Limit(int64(n)).Rows(ctx)
	if err != nil {
		return nil, false, translate(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var part int64
		var packed []byte
		if err := rows.Scan(&part, &packed); err != nil {
			return nil, false, err
		}
		for p := range slices.Chunk(packed, pairBytes) {
			event, endpoint := p[:pairBytes/2], p[pairBytes/2:]
			if part > row.CursorPart || after(event, endpoint, row.CursorEvent, row.CursorEndpoint) {
				pairs = append(pairs, pair{event: relay.ID(event), endpoint: relay.ID(endpoint), part: part})
			}
		}
		if len(pairs) >= n {
			return pairs, false, nil
		}
	}
	return pairs, true, translate(rows.Err())
}

// itemPairs reads the pairs that planning wrote down.
func (s *Store) itemPairs(ctx context.Context, row *replayRow) (pageRead, error) {
	pairs, all, err := s.nextPairs(ctx, row, pairRows)
	at := pageRead{end: row.cursor(), last: all}
	if err != nil || len(pairs) == 0 {
		return at, err
	}
	ids := make([]relay.ID, len(pairs))
	for i := range pairs {
		ids[i] = pairs[i].event
	}
	events := make(map[relay.ID]eventRow, len(ids))
	for part := range slices.Chunk(slices.Compact(ids), 500) {
		var rows []eventRow
		q := s.r.NewSelect().Model(&rows).Column("id", "source_id", "event_type").Where("project_id = ? AND id IN (?)", row.ProjectID, bun.List(part)).
			Where(mayReplay)
		if err := q.Scan(ctx); err != nil {
			return at, translate(err)
		}
		for _, r := range rows {
			events[r.ID] = r
		}
	}
	for i := range pairs {
		p := &pairs[i]
		e, there := events[p.event]
		p.source, p.typ, p.missing = e.SourceID, e.EventType, !there
	}
	at.pairs, at.end = pairs, pairs[len(pairs)-1].cursor()
	return at, nil
}

// deletePairs removes what a job's plan wrote down, a little at a time.
func (s *Store) deletePairs(ctx context.Context, id relay.ID) error {
	const some = 100
	for {
		var gone int64
		err := s.later(ctx, func(ctx context.Context, tx bun.Tx) error {
			few := tx.NewSelect().Table("replay_pairs").Column("part").Where("replay_id = ?", id).OrderExpr("part").Limit(some)
			result, err := tx.NewDelete().Table("replay_pairs").Where("replay_id = ? AND part IN (?)", id, few).Exec(ctx)
			if err == nil {
				gone, err = result.RowsAffected()
			}
			return err
		})
		if err != nil || gone < some {
			return err
		}
	}
}
