package replays

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// PairRows is how many pairs of an event and an endpoint one transaction of a
// replay job handles at most.
const PairRows = 200

// ReplayStep is what one page of a replay job did.
type ReplayStep struct {
	Made      int
	Skipped   int
	Drained   bool       // nothing is left to make
	Stopped   bool       // the job is not running, or somebody else moved it
	Endpoints []relay.ID // that have new deliveries
}

// Pair is one delivery of a replay job to be.
type Pair struct {
	Event    relay.ID
	Endpoint relay.ID
	source   relay.ID
	typ      string
	part     int64 // of the plan; 0: it was walked to
	missing  bool  // there is nothing to send
}

// cursor is where a job stands: behind the pair that it handled last.
type cursor struct {
	Part            int64
	Event, Endpoint []byte
}

func (p *Pair) cursor() cursor { return cursor{p.part, p.Event[:], p.Endpoint[:]} }

func (r *ReplayRow) cursor() cursor { return cursor{r.CursorPart, r.CursorEvent, r.CursorEndpoint} }

var (
	lastEndpoint = bytes.Repeat([]byte{0xff}, len(relay.ID{}))
	errMoved     = errors.New("db: the replay job was moved")
)

var (
	pairKey = sqldb.Cols(sqldb.KBytes, "event_id project_id endpoint_id")
	// lockReplayed is lockReplays for many events.
	lockReplayed = &sqldb.Bulk{PG: "SELECT pg_advisory_xact_lock(hashtextextended(h, 1)) FROM (SELECT encode(event_id, 'hex') AS h FROM " +
		sqldb.Unnest(pairKey) + " GROUP BY event_id ORDER BY event_id) AS x", Columns: pairKey, Key: -1}
	// PairFacts tells of each pair its newest delivery, and whether there is
	// a delivered one.
	PairFacts = &sqldb.Bulk{
		Sqlite:  fmt.Sprintf(pairFactsSQL, "?1", "?3", "integer") + " FROM (SELECT 1)",
		PG:      fmt.Sprintf(pairFactsSQL, "v.event_id", "v.endpoint_id", "int8") + " FROM " + sqldb.Unnest(pairKey),
		Columns: pairKey, Key: -1, Returns: 4,
	}
	moveColumns = sqldb.ColumnsOf(sqldb.Cols(sqldb.KBytes, "cursor_event cursor_endpoint"), sqldb.Cols(sqldb.KInt, "cursor_part made skipped_delivered skipped_gone"),
		sqldb.Cols(sqldb.KBool, "drained"), sqldb.Cols(sqldb.KInt, "updated_at"), sqldb.Cols(sqldb.KBytes, "id"), sqldb.Cols(sqldb.KInt, "was"))
	// moveReplay moves a job's cursor if nobody else has.
	moveReplay = &sqldb.Bulk{
		Sqlite: `UPDATE replays SET cursor_event = ?, cursor_endpoint = ?, cursor_part = ?, made = ?, skipped_delivered = ?, skipped_gone = ?, drained = ?,
			updated_at = ?, page = page + 1 WHERE id = ? AND page = ? AND status = 'running'`,
		PG: `UPDATE replays t SET cursor_event = v.cursor_event, cursor_endpoint = v.cursor_endpoint, cursor_part = v.cursor_part, made = v.made,
			skipped_delivered = v.skipped_delivered, skipped_gone = v.skipped_gone, drained = v.drained, updated_at = v.updated_at,
			page = v.was + 1 FROM ` + sqldb.Unnest(moveColumns) + ` WHERE t.id = v.id AND t.page = v.was AND t.status = 'running' RETURNING t.id`,
		Columns: moveColumns, Key: 8,
	}
	// forwardEvents are those that have a new delivery, which is not final.
	forwardEvents = &sqldb.Bulk{
		Sqlite: "UPDATE events SET status = 'forwarding' WHERE project_id = ? AND id = ? AND status NOT IN ('rejected', 'duplicate')",
		PG: "UPDATE events SET status = 'forwarding' FROM " + sqldb.Unnest(engine.EventKey) +
			" WHERE events.project_id = v.project_id AND events.id = v.id AND status NOT IN ('rejected', 'duplicate')",
		Columns: engine.EventKey, Key: -1,
	}
	// MarkReplayed notes what stands in for an earlier delivery.
	MarkReplayed = &sqldb.Bulk{
		Sqlite: "UPDATE deliveries SET replayed_by = ?1 WHERE event_id = ?2 AND endpoint_id = ?4 AND replayed_by IS NULL",
		PG: "UPDATE deliveries d SET replayed_by = v.replayed_by FROM " + sqldb.Unnest(sqldb.ColumnsOf(sqldb.Cols(sqldb.KBytes, "replayed_by"), pairKey)) +
			" WHERE d.event_id = v.event_id AND d.endpoint_id = v.endpoint_id AND d.replayed_by IS NULL",
		Columns: sqldb.ColumnsOf(sqldb.Cols(sqldb.KBytes, "replayed_by"), pairKey), Key: -1,
	}
)

// pairFactsSQL finds deliveries by their event alone: with the project in the
// condition SQLite would rather walk all deliveries of the project. Of EXISTS
// PostgreSQL may make a table of everything that was ever delivered; of a row
// it cannot.
const pairFactsSQL = `SELECT %[1]s, %[2]s, (SELECT d.id FROM deliveries d WHERE d.event_id = %[1]s AND d.endpoint_id = %[2]s
		ORDER BY d.id DESC LIMIT 1),
	CAST(coalesce((SELECT 1 FROM deliveries d WHERE d.event_id = %[1]s AND d.endpoint_id = %[2]s
		AND d.status = 'delivered' LIMIT 1), 0) AS %[3]s)`

// ReplayWalk goes through the pairs of a replay job. It reads ahead, and is
// for one goroutine.
type ReplayWalk struct {
	s    *Store
	id   relay.ID
	row  *ReplayRow // nil: to be read
	at   PageRead
	idle int // pairs that the last step skipped
}

// WalkReplay begins where the job's cursor is.
func (s *Store) WalkReplay(id relay.ID) *ReplayWalk { return &ReplayWalk{s: s, id: id} }

// Next makes the next deliveries of a running job, n at most, and moves its
// cursor in the same transaction: whatever stops it at whatever moment, each
// pair of the plan becomes one delivery or is skipped.
func (w *ReplayWalk) Next(ctx context.Context, n int) (ReplayStep, error) {
	step, err := w.next(ctx, n)
	if err != nil || step.Stopped || step.Drained || step.Made+step.Skipped == 0 {
		w.row = nil
	}
	w.idle = step.Skipped
	return step, err
}

func (w *ReplayWalk) next(ctx context.Context, n int) (ReplayStep, error) {
	if w.row == nil {
		w.row, w.at = new(ReplayRow), PageRead{}
		if err := w.s.R.NewSelect().Model(w.row).Where("id = ?", w.id).Scan(ctx); err != nil {
			return ReplayStep{}, sqldb.Translate(err)
		}
		if relay.ReplayStatus(w.row.Status) != relay.ReplayRunning || w.row.Drained {
			return ReplayStep{Stopped: !w.row.Drained, Drained: w.row.Drained}, nil
		}
	}
	if w.row.Canary > 0 && !w.row.CanaryPassed {
		n = min(n, w.row.Canary-w.row.Made)
	}
	if n <= 0 {
		return ReplayStep{}, nil
	}
	if err := w.s.RefreshConfig(ctx); err != nil {
		return ReplayStep{}, err
	}
	if len(w.at.Pairs) == 0 {
		var err error
		if w.at, err = w.s.ReadPairs(ctx, w.row); err != nil {
			return ReplayStep{}, err
		}
	}
	// Where many are skipped, more of them are looked at in one go.
	n = min(n, w.s.Hot.BackgroundRows())
	next := w.at.first(min(n+4*w.idle, PairRows))
	var step ReplayStep
	var moved ReplayRow
	var err error
	for range 3 {
		err = w.s.Background.Do(ctx, func() error {
			return w.s.Hot.Phases(ctx, sqldb.Lazy, func(run func(...*sqldb.Work) error) error {
				moved = *w.row
				step, err = w.s.makePairs(&moved, next, n, run)
				return err
			})
		})
		if !sqldb.IsDeadlock(err) {
			break
		}
	}
	if errors.Is(err, errMoved) {
		return ReplayStep{Stopped: true}, nil
	}
	if err != nil {
		return ReplayStep{}, sqldb.Translate(err)
	}
	w.row, w.at.Pairs = &moved, w.at.Pairs[min(step.Made+step.Skipped, len(w.at.Pairs)):]
	return step, nil
}

// PageRead is what of a job comes next.
type PageRead struct {
	Pairs []Pair
	End   cursor // when all pairs are handled
	Last  bool   // nothing comes after
}

// first is what is read of the first n pairs.
func (at *PageRead) first(n int) PageRead {
	if n >= len(at.Pairs) {
		return *at
	}
	return PageRead{Pairs: at.Pairs[:n], End: at.Pairs[n-1].cursor()}
}

// ReadPairs reads what comes after the job's cursor. Nothing that it reads
// changes while the job runs.
func (s *Store) ReadPairs(ctx context.Context, row *ReplayRow) (PageRead, error) {
	if bytes.Compare(row.CursorEvent, row.WalkEnd) < 0 {
		at, err := s.walkPairs(ctx, row)
		if err != nil || !at.Last || row.Backfill {
			return at, err
		}
		if len(at.Pairs) > 0 {
			at.Last = false
			return at, nil
		}
	}
	return s.itemPairs(ctx, row)
}

// SettleTime is after how long every event of a time is in the database: a
// request gets its id when it comes in and is committed or refused within
// seconds, and the clocks of processes differ a little.
const SettleTime = 30 * time.Second

func (s *Store) settledID() []byte { return sqldb.IDBound(s.Now().Add(-SettleTime)) }

const (
	walkRows  = PairRows
	walkPages = 50 // read in vain before the cursor moves
)

// walkPairs goes through events in the order of their ids.
func (s *Store) walkPairs(ctx context.Context, row *ReplayRow) (PageRead, error) {
	selection, err := sqldb.FromJSON[relay.Selection](row.Selection)
	if err != nil {
		return PageRead{}, err
	}
	targets, err := row.targets()
	if err != nil {
		return PageRead{}, err
	}
	slices.SortFunc(targets, func(a, b relay.ReplayTarget) int { return bytes.Compare(a.EndpointID[:], b.EndpointID[:]) })
	bound := row.WalkEnd
	if settled := s.settledID(); row.Backfill && bytes.Compare(settled, bound) < 0 {
		bound = settled
	}
	at := PageRead{End: row.cursor()}
	for range walkPages {
		var rows []lists.EventRow
		q := walkable(s.R.NewSelect().Model(&rows).Column("id", "source_id", "event_type"), row.ProjectID, &selection, at.End.Event, bound).
			Where(mayReplay).OrderExpr("id").Limit(walkRows)
		if err := q.Scan(ctx); err != nil {
			return at, sqldb.Translate(err)
		}
		for i := range rows {
			e := &rows[i]
			if !selection.TakesEvent(e.SourceID, e.EventType) {
				at.End = cursor{0, e.ID[:], lastEndpoint}
				continue
			}
			for k := range targets {
				t := &targets[k]
				if after(e.ID[:], t.EndpointID[:], at.End.Event, at.End.Endpoint) && t.Takes(e.SourceID, e.EventType) {
					at.Pairs = append(at.Pairs, Pair{Event: e.ID, Endpoint: t.EndpointID, source: e.SourceID, typ: e.EventType})
				}
			}
			at.End = cursor{0, e.ID[:], lastEndpoint}
			if len(at.Pairs) >= PairRows {
				return at, nil
			}
		}
		if len(rows) < walkRows {
			at.Last = bytes.Equal(bound, row.WalkEnd)
			return at, nil
		}
		if len(at.Pairs) > 0 {
			return at, nil
		}
	}
	return at, nil
}

// walkable are the events of a selection over facts that never change, from
// one id on and before another.
func walkable(q *bun.SelectQuery, project relay.ID, f *relay.Selection, from, before []byte) *bun.SelectQuery {
	q = q.Where("project_id = ? AND id >= ? AND id < ?", project, from, before)
	if !f.SourceID.IsZero() {
		q = q.Where("source_id = ?", f.SourceID)
	}
	if !f.From.IsZero() {
		q = q.Where("received_at >= ?", f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		q = q.Where("received_at < ?", f.To.UnixMicro())
	}
	return q
}

func after(event, endpoint, cursorEvent, cursorEndpoint []byte) bool {
	if c := bytes.Compare(event, cursorEvent); c != 0 {
		return c > 0
	}
	return bytes.Compare(endpoint, cursorEndpoint) > 0
}
