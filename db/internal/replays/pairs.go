package replays

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// packedPairs is how many pairs one row of a plan holds: enough to make a
// million of them quick to write, few enough to be read for one page, and for
// a row to fit in a page of 8 kB, which PostgreSQL is told to keep it in.
const packedPairs = 200

// ReplayBulks are what replay jobs run.
var ReplayBulks = []*sqldb.Bulk{PairFacts, moveReplay, savePlan, MarkReplayed, forwardEvents, insertPairs}

var insertPairs = sqldb.Insertion("replay_pairs", "", "", sqldb.ColumnsOf(sqldb.Cols(sqldb.KBytes, "replay_id"), sqldb.Cols(sqldb.KInt, "part"), sqldb.Cols(sqldb.KBytes, "pairs")))

// partsOf are rows of pairs, which are in order, from a part on.
func partsOf(job relay.ID, part int64, pairs []PairID) *sqldb.Work {
	rows := &sqldb.Work{Bulk: insertPairs}
	for some := range slices.Chunk(pairs, packedPairs) {
		rows.Add(job[:], part, packPairs(some))
		part++
	}
	return rows
}

const pairBytes = 2 * len(relay.ID{})

// packPairs writes pairs one behind the other: the event's id, the endpoint's.
func packPairs(pairs []PairID) []byte {
	out := make([]byte, 0, len(pairs)*pairBytes)
	for _, p := range pairs {
		out = append(append(out, p.Event[:]...), p.Endpoint[:]...)
	}
	return out
}

// NextPairs are the pairs of a job after where it stands, n at least if there are
// as many, and whether those were all.
func (s *Store) NextPairs(ctx context.Context, row *ReplayRow, n int) (pairs []Pair, all bool, err error) {
	rows, err := s.R.NewSelect().Table("replay_pairs").Column("part", "pairs").
		Where("replay_id = ? AND part >= ?", row.ID, row.CursorPart).OrderExpr("part").Limit(int64(n)).Rows(ctx)
	if err != nil {
		return nil, false, sqldb.Translate(err)
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
				pairs = append(pairs, Pair{Event: relay.ID(event), Endpoint: relay.ID(endpoint), part: part})
			}
		}
		if len(pairs) >= n {
			return pairs, false, nil
		}
	}
	return pairs, true, sqldb.Translate(rows.Err())
}

// itemPairs reads the pairs that planning wrote down.
func (s *Store) itemPairs(ctx context.Context, row *ReplayRow) (PageRead, error) {
	pairs, all, err := s.NextPairs(ctx, row, PairRows)
	at := PageRead{End: row.cursor(), Last: all}
	if err != nil || len(pairs) == 0 {
		return at, err
	}
	ids := make([]relay.ID, len(pairs))
	for i := range pairs {
		ids[i] = pairs[i].Event
	}
	events := make(map[relay.ID]lists.EventRow, len(ids))
	for part := range slices.Chunk(slices.Compact(ids), 500) {
		var rows []lists.EventRow
		q := s.R.NewSelect().Model(&rows).Column("id", "source_id", "event_type").Where("project_id = ? AND id IN (?)", row.ProjectID, bun.List(part)).
			Where(mayReplay)
		if err := q.Scan(ctx); err != nil {
			return at, sqldb.Translate(err)
		}
		for _, r := range rows {
			events[r.ID] = r
		}
	}
	for i := range pairs {
		p := &pairs[i]
		e, there := events[p.Event]
		p.source, p.typ, p.missing = e.SourceID, e.EventType, !there
	}
	at.Pairs, at.End = pairs, pairs[len(pairs)-1].cursor()
	return at, nil
}

// DeletePairs removes what a job's plan wrote down, a little at a time.
func (s *Store) DeletePairs(ctx context.Context, id relay.ID) error {
	const some = 100
	for {
		var gone int64
		err := s.Later(ctx, func(ctx context.Context, tx bun.Tx) error {
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
