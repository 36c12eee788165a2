package main

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// row is a delivery as it is in the database, with the entries of its log.
type row struct {
	relay.Delivery
	attempts int
}

// findings are all that the checks look at.
type findings struct {
	types    []string       // of the events sent
	accepted map[string]int // numbers of events by id
	arrivals []arrival
	byID     map[string][]arrival // of a delivery
	rows     []row
	events   map[relay.ID]relay.EventStatus
	ended    time.Duration // until all was final; zero: it was not
	limbo    []string      // deliveries that were neither final nor due for a moment
	queues   []string
}

func (r *rig) find(ctx context.Context, accepted map[string]int, types []string) (*findings, error) {
	f := &findings{types: types, accepted: accepted, arrivals: r.receiver.all(), byID: map[string][]arrival{}, events: map[relay.ID]relay.EventStatus{}}
	for _, a := range f.arrivals {
		f.byID[a.delivery] = append(f.byID[a.delivery], a)
	}
	if err := r.findRows(ctx, f); err != nil {
		return nil, err
	}
	rows, err := r.sql.QueryContext(ctx, "SELECT id, status FROM events")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id relay.ID
		var status relay.EventStatus
		if err := rows.Scan(&id, &status); err != nil {
			return nil, err
		}
		f.events[id] = status
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	f.queues, err = r.queues(ctx)
	return f, err
}

func (r *rig) findRows(ctx context.Context, f *findings) error {
	rows, err := r.sql.QueryContext(ctx, `SELECT d.id, d.event_id, d.endpoint_id, d.status, d.replay_id, d.replayed_by,
		(SELECT count(*) FROM attempts a WHERE a.delivery_id = d.id) FROM deliveries d`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var d row
		if err := rows.Scan(&d.ID, &d.EventID, &d.EndpointID, &d.Status, &d.ReplayID, &d.ReplayedBy, &d.attempts); err != nil {
			return err
		}
		f.rows = append(f.rows, d)
	}
	return rows.Err()
}

// arrived are the requests of a delivery.
func (f *findings) arrived(id relay.ID) []arrival { return f.byID[relay.PrefixDelivery.Format(id)] }
