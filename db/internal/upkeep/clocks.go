package upkeep

import (
	"context"
	"time"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// checkClocks is an error, with the reason as its Detail, if the time is not to be
// believed by what removes things for their age.
func (s *Store) checkClocks(ctx context.Context) error {
	clocks := relay.Clocks{Process: s.Clock.Own()}
	var last []int64
	if err := s.R.NewSelect().Table("meta").Column("number").Where("name = 'retention_at'").Scan(ctx, &last); err != nil {
		return sqldb.Translate(err)
	}
	if len(last) > 0 {
		clocks.LastRun = sqldb.FromMicros(last[0])
	}
	newest, err := s.newestEvent(ctx)
	if err != nil {
		return err
	}
	clocks.NewestEvent = newest
	if s.PG && !s.Clock.Given {
		if err := s.R.NewSelect().ColumnExpr("clock_timestamp()").Scan(ctx, &clocks.Database); err != nil {
			return sqldb.Translate(err)
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
	if err := s.R.NewSelect().Table("projects").Column("id").Scan(ctx, &projects); err != nil {
		return time.Time{}, sqldb.Translate(err)
	}
	var newest time.Time
	for _, project := range projects {
		var ids []relay.ID
		err := s.R.NewSelect().TableExpr(s.Using("events", sqldb.ByKey)).Column("id").Where("project_id = ? AND id >= ?", project, sqldb.ZeroID()).OrderExpr("id DESC").Limit(1).Scan(ctx, &ids)
		if err != nil {
			return time.Time{}, sqldb.Translate(err)
		}
		if len(ids) > 0 && ids[0].Time().After(newest) {
			newest = ids[0].Time()
		}
	}
	return newest, nil
}
