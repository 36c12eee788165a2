package engine

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

type attemptRow struct {
	bun.BaseModel   `bun:"table:attempts"`
	DeliveryID      relay.ID `bun:",pk"`
	ID              relay.ID `bun:",pk"`
	ProjectID       relay.ID
	EventID         relay.ID
	EndpointID      relay.ID
	Number          int
	Outcome         string
	StartedAt       int64
	Duration        int64 // microseconds
	URL             string
	RequestHeaders  []byte
	ResponseStatus  int
	ResponseHeaders []byte
	ResponseBody    []byte
	Truncated       bool
	Error           string
}

func (r *attemptRow) open() (relay.Attempt, error) {
	a := relay.Attempt{ID: r.ID, ProjectID: r.ProjectID, DeliveryID: r.DeliveryID, EventID: r.EventID, EndpointID: r.EndpointID,
		Number: r.Number, Outcome: relay.Outcome(r.Outcome), StartedAt: sqldb.FromMicros(r.StartedAt), Duration: settings.FromMicroseconds(r.Duration),
		URL: r.URL, ResponseStatus: r.ResponseStatus, ResponseBody: r.ResponseBody, Truncated: r.Truncated, Error: r.Error}
	var err error
	if a.RequestHeaders, err = relay.DecodeHeaders(r.RequestHeaders); err != nil {
		return a, err
	}
	a.ResponseHeaders, err = relay.DecodeHeaders(r.ResponseHeaders)
	return a, err
}

// Attempts reads every attempt made for a delivery, oldest first. Callers have
// read the delivery before, and so know that it is of their project.
func (s *Store) Attempts(ctx context.Context, delivery relay.ID) ([]relay.Attempt, error) {
	var rows []attemptRow
	if err := s.R.NewSelect().Model(&rows).Where("delivery_id = ?", delivery).Order("id").Scan(ctx); err != nil {
		return nil, sqldb.Translate(err)
	}
	out := make([]relay.Attempt, len(rows))
	for i := range rows {
		var err error
		if out[i], err = rows[i].open(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
