package engine

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// What the statistics count, by minute. Stored: never renumber.
const (
	statEvents     = 1   // by source
	statRejected   = 2   // by source
	statDuplicates = 3   // by source
	statSucceeded  = 10  // attempts, by endpoint
	statFailed     = 11  // attempts, by endpoint
	statDead       = 12  // deliveries that became dead letters, by endpoint
	statLatency    = 100 // attempts by duration: 100+i, see latencyBucket
	LatencyBuckets = 40
)

// LatencyBucket sorts a duration: bucket i holds durations below
// latencyBound(i), each bound √2 times the one before, from 0.1 ms to 80 s.
func LatencyBucket(d time.Duration) int {
	for i := range LatencyBuckets - 1 {
		if d < LatencyBound(i) {
			return i
		}
	}
	return LatencyBuckets - 1
}

// LatencyBound is what the durations of a bucket stay below.
func LatencyBound(i int) time.Duration { return latencyBounds[i] }

var latencyBounds = func() (bounds [LatencyBuckets]time.Duration) {
	b := float64(100 * time.Microsecond)
	for i := range bounds {
		bounds[i] = time.Duration(b)
		b *= 1.41421356
	}
	return bounds
}()

type statKey struct {
	project relay.ID
	kind    int64
	ref     relay.ID
	minute  int64
}

// counters sums what one commit adds to the statistics.
type counters map[statKey]int64

// MinuteOf is the minute that the statistics count a time in.
func MinuteOf(t time.Time) int64 { return t.Unix() / 60 }

func (c counters) event(e *relay.Event) {
	k := statKey{e.ProjectID, statEvents, e.SourceID, MinuteOf(e.ReceivedAt)}
	c[k]++
	switch e.Status {
	case relay.EventRejected:
		k.kind = statRejected
		c[k]++
	case relay.EventDuplicate:
		k.kind = statDuplicates
		c[k]++
	}
}

func (c counters) attempt(a *relay.Attempt, status relay.DeliveryStatus) {
	k := statKey{a.ProjectID, statFailed, a.EndpointID, MinuteOf(a.StartedAt)}
	if a.Outcome == relay.OutcomeSuccess {
		k.kind = statSucceeded
	}
	c[k]++
	if status == relay.DeliveryDLQ {
		k.kind = statDead
		c[k]++
	}
	if a.Outcome != relay.OutcomeInterrupted {
		k.kind = statLatency + int64(LatencyBucket(a.Duration))
		c[k]++
	}
}

var addStats = sqldb.Insertion("stats", "ON CONFLICT (project_id, minute, kind, ref_id) DO UPDATE SET n = stats.n + excluded.n", "",
	sqldb.ColumnsOf(sqldb.Cols(sqldb.KBytes, "project_id"), sqldb.Cols(sqldb.KInt, "kind"), sqldb.Cols(sqldb.KBytes, "ref_id"), sqldb.Cols(sqldb.KInt, "minute n")))

// works is the sums as rows, in one order so that transactions cannot wait
// for each other in a circle.
func (c counters) works() []*sqldb.Work {
	if len(c) == 0 {
		return nil
	}
	keys := make([]statKey, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b statKey) int {
		return cmp.Or(bytes.Compare(a.project[:], b.project[:]), cmp.Compare(a.minute, b.minute),
			cmp.Compare(a.kind, b.kind), bytes.Compare(a.ref[:], b.ref[:]))
	})
	w := &sqldb.Work{Bulk: addStats}
	for _, k := range keys {
		w.Add(k.project[:], k.kind, k.ref[:], k.minute, c[k])
	}
	return []*sqldb.Work{w}
}

// Series is what was counted in one stretch of time.
type Series struct {
	Start      time.Time
	Events     int64
	Rejected   int64
	Duplicates int64
	Succeeded  int64 // attempts
	Failed     int64 // attempts
	Dead       int64
	P50, P95   time.Duration // of attempts, 0 without any
}

// Stats are the sums of a window, its course, and the latency of attempts.
type Stats struct {
	Total  Series
	Course []Series            // oldest first, one for each step
	ByRef  map[relay.ID]Series // sources and endpoints
}

// StatsQuery says what Stats to read. Times are cut to minutes.
type StatsQuery struct {
	ProjectID relay.ID
	Ref       relay.ID // one source or endpoint; zero: all
	From, To  time.Time
	Step      time.Duration
}

// statRow is a sum of one counter in one step of a window.
type statRow struct {
	Kind   int64
	RefID  relay.ID
	Bucket int64
	N      int64
}

func (q *StatsQuery) span() (from, to, step int64) {
	return MinuteOf(q.From), MinuteOf(q.To), max(int64(q.Step/time.Minute), 1)
}

// Stats sums the counters of a window.
func (s *Store) Stats(ctx context.Context, q StatsQuery) (Stats, error) {
	rows, err := s.statRows(ctx, &q)
	return q.sum(rows), err
}

// StatsByRef is Stats of each of some sources or endpoints, read at once.
func (s *Store) StatsByRef(ctx context.Context, q StatsQuery, refs []relay.ID) (map[relay.ID]Stats, error) {
	rows, err := s.statRows(ctx, &q)
	byRef := map[relay.ID][]statRow{}
	for _, r := range rows {
		byRef[r.RefID] = append(byRef[r.RefID], r)
	}
	out := make(map[relay.ID]Stats, len(refs))
	for _, ref := range refs {
		out[ref] = q.sum(byRef[ref])
	}
	return out, err
}

func (s *Store) statRows(ctx context.Context, q *StatsQuery) ([]statRow, error) {
	var rows []statRow
	from, to, step := q.span()
	query := s.R.NewSelect().TableExpr("stats").ColumnExpr("kind, ref_id, (minute - ?) / ? AS bucket, sum(n) AS n", from, step).
		Where("project_id = ? AND minute >= ? AND minute <= ?", q.ProjectID, from, to).
		GroupExpr("kind, ref_id, bucket")
	if !q.Ref.IsZero() {
		query = query.Where("ref_id = ?", q.Ref)
	}
	return rows, sqldb.Translate(query.Scan(ctx, &rows))
}

func (q *StatsQuery) sum(rows []statRow) Stats {
	from, to, step := q.span()
	out := Stats{ByRef: map[relay.ID]Series{}}
	out.Course = make([]Series, (to-from)/step+1)
	for i := range out.Course {
		out.Course[i].Start = time.Unix((from+int64(i)*step)*60, 0).UTC()
	}
	var all histogram
	byRef := map[relay.ID]*histogram{}
	byBucket := make([]histogram, len(out.Course))
	for _, r := range rows {
		if r.Kind >= statLatency {
			i := min(r.Kind-statLatency, LatencyBuckets-1)
			if byRef[r.RefID] == nil {
				byRef[r.RefID] = new(histogram)
			}
			all[i] += r.N
			byRef[r.RefID][i] += r.N
			byBucket[r.Bucket][i] += r.N
			continue
		}
		one := out.ByRef[r.RefID]
		one.add(r.Kind, r.N)
		out.ByRef[r.RefID] = one
		out.Total.add(r.Kind, r.N)
		out.Course[r.Bucket].add(r.Kind, r.N)
	}
	all.describe(&out.Total)
	for i := range byBucket {
		byBucket[i].describe(&out.Course[i])
	}
	for ref, h := range byRef {
		one := out.ByRef[ref]
		h.describe(&one)
		out.ByRef[ref] = one
	}
	return out
}

func (r *Series) add(kind, n int64) {
	switch kind {
	case statEvents:
		r.Events += n
	case statRejected:
		r.Rejected += n
	case statDuplicates:
		r.Duplicates += n
	case statSucceeded:
		r.Succeeded += n
	case statFailed:
		r.Failed += n
	case statDead:
		r.Dead += n
	}
}

// histogram counts attempts by latencyBucket.
type histogram [LatencyBuckets]int64

func (h *histogram) describe(s *Series) { s.P50, s.P95 = h.quantile(0.50), h.quantile(0.95) }

// quantile reads a quantile off the histogram: the upper bound of the bucket
// in which it lies, zero if nothing was counted.
func (h *histogram) quantile(q float64) time.Duration {
	var total, seen int64
	for _, n := range h {
		total += n
	}
	if total == 0 {
		return 0
	}
	for i, n := range h {
		seen += n
		if float64(seen) >= q*float64(total) {
			return LatencyBound(i)
		}
	}
	return LatencyBound(LatencyBuckets - 1)
}
