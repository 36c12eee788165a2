package db

import (
	"bytes"
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// packedPairs is how many pairs one row of a plan holds: enough to make a
// million of them quick to write, few enough to be read for one page, and for
// a row to fit in a page of 8 kB, which PostgreSQL is told to keep it in.
const packedPairs = 200

var insertPairs = insertion("replay_items", "ON CONFLICT DO NOTHING", "", cols(kBytes, "replay_id event_id endpoint_id more"))

// writePairs writes down pairs of a job, which are in order and come after
// those written before. They are on disk when the job itself is, which is
// written last.
func (s *Store) writePairs(ctx context.Context, job relay.ID, pairs []pairID) error {
	rows := &work{bulk: insertPairs}
	for part := range slices.Chunk(pairs, packedPairs) {
		rows.add(job[:], part[0].event[:], part[0].endpoint[:], packPairs(part[1:]))
	}
	return translate(s.hot.once(ctx, lazy, rows))
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

// nextPairs are the pairs of a job after a cursor, n at least if there are as
// many, and whether those were all.
func (s *Store) nextPairs(ctx context.Context, job relay.ID, event, endpoint []byte, n int) (pairs []pairID, all bool, err error) {
	add := func(p pairID) {
		if after(p.event[:], p.endpoint[:], event, endpoint) {
			pairs = append(pairs, p)
		}
	}
	read := func(q *bun.SelectQuery) (all bool, err error) {
		rows, err := q.Column("event_id", "endpoint_id", "more").Rows(ctx)
		if err != nil {
			return false, translate(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var first pairID
			var more []byte
			if err := rows.Scan(&first.event, &first.endpoint, &more); err != nil {
				return false, err
			}
			add(first)
			for p := range slices.Chunk(more, pairBytes) {
				add(pairID{relay.ID(p[:pairBytes/2]), relay.ID(p[pairBytes/2:])})
			}
			if len(pairs) >= n {
				return false, nil
			}
		}
		return true, translate(rows.Err())
	}
	of := func() *bun.SelectQuery { return s.r.NewSelect().Table("replay_items").Where("replay_id = ?", job) }
	if !bytes.Equal(event, zeroID()) {
		before := of().Where("(event_id, endpoint_id) <= (?, ?)", event, endpoint).OrderExpr("event_id DESC, endpoint_id DESC").Limit(1)
		if _, err := read(before); err != nil {
			return nil, false, err
		}
	}
	if len(pairs) < n {
		all, err = read(of().Where("(event_id, endpoint_id) > (?, ?)", event, endpoint).OrderExpr("event_id, endpoint_id").Limit(int64(n)))
	}
	return pairs, all, err
}

// itemPairs reads the pairs that planning wrote down one by one.
func (s *Store) itemPairs(ctx context.Context, row *replayRow) (pageRead, error) {
	pairs, all, err := s.nextPairs(ctx, row.ID, row.CursorEvent, row.CursorEndpoint, pairRows)
	at := pageRead{endEvent: row.CursorEvent, endEndpoint: row.CursorEndpoint, last: all}
	if err != nil || len(pairs) == 0 {
		return at, err
	}
	ids := make([]relay.ID, 0, len(pairs))
	for _, p := range pairs {
		if len(ids) == 0 || ids[len(ids)-1] != p.event {
			ids = append(ids, p.event)
		}
	}
	events := make(map[relay.ID]eventRow, len(ids))
	for part := range slices.Chunk(ids, 500) {
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
	for _, p := range pairs {
		e, there := events[p.event]
		at.pairs = append(at.pairs, pair{event: p.event, endpoint: p.endpoint, source: e.SourceID, typ: e.EventType, missing: !there})
	}
	end := pairs[len(pairs)-1]
	at.endEvent, at.endEndpoint = end.event[:], end.endpoint[:]
	return at, nil
}

// deleteItems removes what a job's plan wrote down, a little at a time.
func (s *Store) deleteItems(ctx context.Context, id relay.ID) error {
	const some = 100
	for {
		var gone int64
		err := s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
			few := tx.NewSelect().Table("replay_items").Column("event_id", "endpoint_id").Where("replay_id = ?", id).Limit(some)
			result, err := tx.NewDelete().Table("replay_items").Where("replay_id = ? AND (event_id, endpoint_id) IN (?)", id, few).Exec(ctx)
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

// dropItems removes what a plan that failed wrote down. What it cannot remove
// retention will.
func (s *Store) dropItems(ctx context.Context, id relay.ID) {
	if err := s.deleteItems(ctx, id); err != nil {
		s.log.Warn("removing an unfinished plan", "replay_id", relay.PrefixReplay.Format(id), "error", err)
	}
}
