package upkeep

import (
	"context"
	"database/sql"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

var (
	descPool  = prometheus.NewDesc("reprise_db_connections", "Connections to the database.", []string{"pool", "state"}, nil)
	descClock = prometheus.NewDesc("reprise_clock_offset_seconds", "How far the clock of the database is ahead of this process's.", nil, nil)
)

// Describe says which metrics a store has.
func (s *Store) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(s, to) }

// Collect tells how its pools and commits stand.
func (s *Store) Collect(to chan<- prometheus.Metric) {
	s.Batches.Collect(to)
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	pool := func(name string, busy, idle, limit int) {
		gauge(descPool, float64(busy), name, "busy")
		gauge(descPool, float64(idle), name, "idle")
		gauge(descPool, float64(limit), name, "limit")
	}
	if pg, ok := s.Hot.(*sqldb.PGHot); ok {
		for name, p := range map[string]*pgxpool.Pool{"commits": pg.Pool, "claims": pg.Lazy, "control": pg.Control, "pages": pg.Pages} {
			stat := p.Stat()
			pool(name, int(stat.AcquiredConns()), int(stat.IdleConns()), int(stat.MaxConns()))
		}
	} else {
		for name, p := range map[string]*sql.DB{"writer": s.W.DB, "readers": s.R.DB} {
			stat := p.Stats()
			pool(name, stat.InUse, stat.Idle, stat.MaxOpenConnections)
		}
	}
	gauge(descClock, s.ClockOffset().Seconds())
}

// LaneBacklog is what is due in a lane.
type LaneBacklog struct {
	Due    int
	Oldest time.Duration // for how long the oldest has been due
}

// backlogMost is up to how many deliveries of a lane are counted.
const backlogMost = 100_000

// BacklogByLane counts what is due, over all projects.
func (s *Store) BacklogByLane(ctx context.Context) (map[relay.Lane]LaneBacklog, error) {
	endpoints, err := s.DueEndpoints(ctx)
	if err != nil {
		return nil, err
	}
	out := map[relay.Lane]LaneBacklog{}
	now := s.Now()
	for _, e := range endpoints {
		of := out[e.Lane]
		if e.DueAt.After(now) || of.Due >= backlogMost {
			continue
		}
		some := s.R.NewSelect().TableExpr(s.Using("deliveries", "deliveries_due")).ColumnExpr("1").
			Where("endpoint_id = ? AND lane = ? AND due_at IS NOT NULL AND due_at <= ?", e.EndpointID, int64(e.Lane), sqldb.Micros(now)).
			Limit(int64(backlogMost - of.Due))
		n, err := s.CountOf(ctx, some)
		if err != nil {
			return nil, err
		}
		out[e.Lane] = LaneBacklog{of.Due + n, max(of.Oldest, now.Sub(e.DueAt))}
	}
	return out, nil
}

// OpenReplayCounts counts the jobs that are not over, by status.
func (s *Store) OpenReplayCounts(ctx context.Context) (map[relay.ReplayStatus]int, error) {
	var rows []struct {
		Status relay.ReplayStatus
		N      int
	}
	err := s.R.NewSelect().TableExpr(s.Using("replays", "replays_open")).ColumnExpr("status, count(*) AS n").
		Where("(finished_at IS NULL OR settling) AND finished_at IS NULL").GroupExpr("status").Scan(ctx, &rows)
	out := map[relay.ReplayStatus]int{}
	for _, r := range rows {
		out[r.Status] = r.N
	}
	return out, sqldb.Translate(err)
}
