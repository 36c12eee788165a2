package db

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// checkClocks is an error, with the reason as its Detail, if the time is not to be
// believed by what removes things for their age.
func (s *Store) checkClocks(ctx context.Context) error {
	clocks := relay.Clocks{Process: s.clock.own()}
	var last []int64
	if err := s.r.NewSelect().Table("meta").Column("number").Where("name = 'retention_at'").Scan(ctx, &last); err != nil {
		return translate(err)
	}
	if len(last) > 0 {
		clocks.LastRun = fromMicros(last[0])
	}
	newest, err := s.newestEvent(ctx)
	if err != nil {
		return err
	}
	clocks.NewestEvent = newest
	if s.pg && !s.clock.given {
		if err := s.r.NewSelect().ColumnExpr("clock_timestamp()").Scan(ctx, &clocks.Database); err != nil {
			return translate(err)
		}
	}
	if reason := clocks.Disagree(); reason != "" {
		return &relay.Error{Kind: relay.KindConflict, Detail: "Nothing was removed: " + reason + ". If the time is right, the next daily run goes on, or `reprise retention run --all` does at once."}
	}
	return nil
}

// newestEvent is when the newest event of any project came in, as its id says; zero
// if there is none.
func (s *Store) newestEvent(ctx context.Context) (time.Time, error) {
	var projects []relay.ID
	if err := s.r.NewSelect().Table("projects").Column("id").Scan(ctx, &projects); err != nil {
		return time.Time{}, translate(err)
	}
	var newest time.Time
	for _, project := range projects {
		var ids []relay.ID
		err := s.r.NewSelect().TableExpr(s.using("events", byKey)).Column("id").Where("project_id = ? AND id >= ?", project, zeroID()).OrderExpr("id DESC").Limit(1).Scan(ctx, &ids)
		if err != nil {
			return time.Time{}, translate(err)
		}
		if len(ids) > 0 && ids[0].Time().After(newest) {
			newest = ids[0].Time()
		}
	}
	return newest, nil
}
