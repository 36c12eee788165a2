package db

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// countItems adds up the pairs that were written down, in the order in which
// they will be sent, and strikes those out that are beyond MaxEvents.
func (s *Store) countItems(ctx context.Context, p *plan) error {
	event, endpoint := zeroID(), zeroID()
	var last relay.ID
	for {
		var rows []struct {
			EventID, EndpointID, SourceID relay.ID
			EventType                     string
			ReceivedAt                    int64
			Delivered                     int
		}
		err := s.r.NewSelect().TableExpr("replay_items AS i").
			ColumnExpr("i.event_id, i.endpoint_id, e.source_id, e.event_type, e.received_at").
			ColumnExpr(`CASE WHEN EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = i.event_id
				AND d.endpoint_id = i.endpoint_id AND d.status = 'delivered') THEN 1 ELSE 0 END AS delivered`).
			Join("JOIN events AS e ON e.project_id = ? AND e.id = i.event_id", p.ProjectID).
			Where("i.replay_id = ? AND (i.event_id, i.endpoint_id) > (?, ?)", p.ID, event, endpoint).
			OrderExpr("i.event_id, i.endpoint_id").Limit(itemRows).Scan(ctx, &rows)
		if err != nil {
			return translate(err)
		}
		for i := range rows {
			r := &rows[i]
			event, endpoint = r.EventID[:], r.EndpointID[:]
			if r.EventID != last {
				if p.MaxEvents > 0 && p.tally.events >= p.MaxEvents {
					return s.cutItems(ctx, p, r.EventID)
				}
				p.tally.event(r.EventType, r.ReceivedAt/hourMicros, r.ReceivedAt, r.ReceivedAt, 1)
				p.row.LowerID = least(p.row.LowerID, slices.Clone(r.EventID[:]))
				p.row.UpperID = maxBytes(p.row.UpperID, nextID(r.EventID))
				last = r.EventID
			}
			p.tally.pairs[r.EndpointID]++
			p.tally.delivered[r.EndpointID] += r.Delivered
		}
		if len(rows) < itemRows {
			return nil
		}
	}
}

// cutItems strikes out everything from an event on.
func (s *Store) cutItems(ctx context.Context, p *plan, from relay.ID) error {
	var more int
	err := s.r.NewSelect().TableExpr("replay_items").ColumnExpr("count(DISTINCT event_id)").
		Where("replay_id = ? AND event_id >= ?", p.ID, from).Scan(ctx, &more)
	if err != nil {
		return translate(err)
	}
	p.tally.leftOut += more
	return s.deleteItems(ctx, p.ID, from[:])
}

// deleteItems removes a job's pairs from an event on, a little at a time.
func (s *Store) deleteItems(ctx context.Context, id relay.ID, from []byte) error {
	for {
		var gone int64
		err := s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
			some := tx.NewSelect().Table("replay_items").Column("event_id", "endpoint_id").
				Where("replay_id = ? AND event_id >= ?", id, from).Limit(itemRows)
			result, err := tx.NewDelete().Table("replay_items").Where("replay_id = ? AND (event_id, endpoint_id) IN (?)", id, some).Exec(ctx)
			if err == nil {
				gone, err = result.RowsAffected()
			}
			return err
		})
		if err != nil || gone < itemRows {
			return err
		}
	}
}

// dropItems removes what a plan that failed wrote down. What it cannot remove
// retention will.
func (s *Store) dropItems(ctx context.Context, id relay.ID) {
	if err := s.deleteItems(ctx, id, zeroID()); err != nil {
		s.log.Warn("removing an unfinished plan", "replay_id", relay.PrefixReplay.Format(id), "error", err)
	}
}
