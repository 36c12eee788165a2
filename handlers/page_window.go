package handlers

import (
	"time"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

// window is a range of time that a chart shows, cut into equal steps. The
// last step holds the present moment.
type window struct {
	Name     string
	From, To time.Time
	Step     time.Duration
}

var windows = []struct {
	name         string
	length, step time.Duration
}{
	{"1h", time.Hour, time.Minute},
	{"24h", 24 * time.Hour, 30 * time.Minute},
	{"7d", 7 * 24 * time.Hour, 3 * time.Hour},
	{"30d", 30 * 24 * time.Hour, 12 * time.Hour},
}

const defaultWindow = 1

// firstWindow is what to show unasked: a day, but the hour of a project that
// is not older.
func firstWindow(created, now time.Time) string {
	if now.Sub(created) < windows[0].length {
		return windows[0].name
	}
	return windows[defaultWindow].name
}

// windowFor is the window of a name in the query, or the default one.
func windowFor(name string, now time.Time) window {
	w := windows[defaultWindow]
	for _, known := range windows {
		if known.name == name {
			w = known
		}
	}
	end := now.UTC().Truncate(w.step).Add(w.step)
	return window{Name: w.name, From: end.Add(-w.length), To: now, Step: w.step}
}

// dayByHour is the last 24 hours, for the rows of a list.
func dayByHour(now time.Time) window {
	end := now.UTC().Truncate(time.Hour).Add(time.Hour)
	return window{From: end.Add(-24 * time.Hour), To: now, Step: time.Hour}
}

// before is the equally long window that ended where w begins.
func (w window) before() window {
	end := w.From.Add(-time.Minute)
	return window{From: w.From.Add(-w.To.Sub(w.From)), To: end, Step: w.To.Sub(w.From)}
}

func (w window) query(project, ref relay.ID) db.StatsQuery {
	return db.StatsQuery{ProjectID: project, Ref: ref, From: w.From, To: w.To, Step: w.Step}
}

// statsOfEach are the statistics of each row of a list of sources or endpoints.
func statsOfEach[T any](v *visit, w window, rows []*T, id func(*T) relay.ID) (map[relay.ID]db.Stats, error) {
	ids := make([]relay.ID, len(rows))
	for i, row := range rows {
		ids[i] = id(row)
	}
	return v.store.StatsByRef(v.ctx, w.query(v.project.ID, relay.ID{}), ids)
}

func totalsOf(s db.Series) views.Totals {
	return views.Totals{
		Events: int(s.Events), Rejected: int(s.Rejected), Delivered: int(s.Succeeded), Failed: int(s.Dead),
		Attempts: int(s.Succeeded + s.Failed), Failures: int(s.Failed), P50: s.P50, P95: s.P95,
	}
}

func (w window) buckets(course []db.Series) []views.Bucket {
	buckets := make([]views.Bucket, len(course))
	for i, s := range course {
		buckets[i] = views.Bucket{At: s.Start, Width: w.Step, Totals: totalsOf(s)}
	}
	return buckets
}

func eventsByStep(course []db.Series) []int {
	counts := make([]int, len(course))
	for i, s := range course {
		counts[i] = int(s.Events)
	}
	return counts
}
