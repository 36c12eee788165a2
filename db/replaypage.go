package db

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// pairRows is how many pairs of an event and an endpoint one transaction of a
// replay job handles at most.
const pairRows = 200

// ReplayStep is what one page of a replay job did.
type ReplayStep struct {
	Made      int
	Skipped   int
	Drained   bool       // nothing is left to make
	Stopped   bool       // the job is not running, or somebody else moved it
	Endpoints []relay.ID // that have new deliveries
}

// pair is one delivery of a replay job to be.
type pair struct {
	event    relay.ID
	endpoint relay.ID
	source   relay.ID
	typ      string
	part     int64 // of the plan; 0: it was walked to
	missing  bool  // there is nothing to send
}

// cursor is where a job stands: behind the pair that it handled last.
type cursor struct {
	part            int64
	event, endpoint []byte
}

func (p *pair) cursor() cursor { return cursor{p.part, p.event[:], p.endpoint[:]} }

func (r *replayRow) cursor() cursor { return cursor{r.CursorPart, r.CursorEvent, r.CursorEndpoint} }

var (
	lastEndpoint = bytes.Repeat([]byte{0xff}, len(relay.ID{}))
	errMoved     = errors.New("db: the replay job was moved")
)

var (
	pairKey = cols(kBytes, "event_id project_id endpoint_id")
	// lockReplayed is lockReplays for many events.
	lockReplayed = &bulk{pg: "SELECT pg_advisory_xact_lock(hashtextextended(h, 1)) FROM (SELECT encode(event_id, 'hex') AS h FROM " +
		unnest(pairKey) + " GROUP BY event_id ORDER BY event_id) AS x", columns: pairKey, key: -1}
	// pairFacts tells of each pair its newest delivery, and whether there is
	// a delivered one.
	pairFacts = &bulk{
		sqlite:  fmt.Sprintf(pairFactsSQL, "?1", "?3", "integer") + " FROM (SELECT 1)",
		pg:      fmt.Sprintf(pairFactsSQL, "v.event_id", "v.endpoint_id", "int8") + " FROM " + unnest(pairKey),
		columns: pairKey, key: -1, returns: 4,
	}
	moveColumns = columnsOf(cols(kBytes, "cursor_event cursor_endpoint"), cols(kInt, "cursor_part made skipped_delivered skipped_gone"),
		cols(kBool, "drained"), cols(kInt, "updated_at"), cols(kBytes, "id"), cols(kInt, "was"))
	// moveReplay moves a job's cursor if nobody else has.
	moveReplay = &bulk{
		sqlite: `UPDATE replays SET cursor_event = ?, cursor_endpoint = ?, cursor_part = ?, made = ?, skipped_delivered = ?, skipped_gone = ?, drained = ?,
			updated_at = ?, page = page + 1 WHERE id = ? AND page = ? AND status = 'running'`,
		pg: `UPDATE replays t SET cursor_event = v.cursor_event, cursor_endpoint = v.cursor_endpoint, cursor_part = v.cursor_part, made = v.made,
			skipped_delivered = v.skipped_delivered, skipped_gone = v.skipped_gone, drained = v.drained, updated_at = v.updated_at,
			page = v.was + 1 FROM ` + unnest(moveColumns) + ` WHERE t.id = v.id AND t.page = v.was AND t.status = 'running' RETURNING t.id`,
		columns: moveColumns, key: 8,
	}
	// forwardEvents are those that have a new delivery, which is not final.
	forwardEvents = &bulk{
		sqlite: "UPDATE events SET status = 'forwarding' WHERE project_id = ? AND id = ? AND status NOT IN ('rejected', 'duplicate')",
		pg: "UPDATE events SET status = 'forwarding' FROM " + unnest(eventKey) +
			" WHERE events.project_id = v.project_id AND events.id = v.id AND status NOT IN ('rejected', 'duplicate')",
		columns: eventKey, key: -1,
	}
	markReplayed = &bulk{
		sqlite: "UPDATE deliveries SET replayed_by = ?1 WHERE event_id = ?2 AND endpoint_id = ?4 AND replayed_by IS NULL",
		pg: "UPDATE deliveries d SET replayed_by = v.replayed_by FROM " + unnest(columnsOf(cols(kBytes, "replayed_by"), pairKey)) +
			" WHERE d.event_id = v.event_id AND d.endpoint_id = v.endpoint_id AND d.replayed_by IS NULL",
		columns: columnsOf(cols(kBytes, "replayed_by"), pairKey), key: -1,
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
	row  *replayRow // nil: to be read
	at   pageRead
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
		w.row, w.at = new(replayRow), pageRead{}
		if err := w.s.r.NewSelect().Model(w.row).Where("id = ?", w.id).Scan(ctx); err != nil {
			return ReplayStep{}, translate(err)
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
	if err := w.s.refreshConfig(ctx); err != nil {
		return ReplayStep{}, err
	}
	if len(w.at.pairs) == 0 {
		var err error
		if w.at, err = w.s.readPairs(ctx, w.row); err != nil {
			return ReplayStep{}, err
		}
	}
	// Where many are skipped, more of them are looked at in one go.
	n = min(n, w.s.hot.backgroundRows())
	next := w.at.first(min(n+4*w.idle, pairRows))
	var step ReplayStep
	var moved replayRow
	var err error
	for range 3 {
		err = w.s.background.do(ctx, func() error {
			return w.s.hot.phases(ctx, lazy, func(run func(...*work) error) error {
				moved = *w.row
				step, err = w.s.makePairs(&moved, next, n, run)
				return err
			})
		})
		if !isDeadlock(err) {
			break
		}
	}
	if errors.Is(err, errMoved) {
		return ReplayStep{Stopped: true}, nil
	}
	if err != nil {
		return ReplayStep{}, translate(err)
	}
	w.row, w.at.pairs = &moved, w.at.pairs[min(step.Made+step.Skipped, len(w.at.pairs)):]
	return step, nil
}

// pageRead is what of a job comes next.
type pageRead struct {
	pairs []pair
	end   cursor // when all pairs are handled
	last  bool   // nothing comes after
}

// first is what is read of the first n pairs.
func (at *pageRead) first(n int) pageRead {
	if n >= len(at.pairs) {
		return *at
	}
	return pageRead{pairs: at.pairs[:n], end: at.pairs[n-1].cursor()}
}

// readPairs reads what comes after the job's cursor. Nothing that it reads
// changes while the job runs.
func (s *Store) readPairs(ctx context.Context, row *replayRow) (pageRead, error) {
	if bytes.Compare(row.CursorEvent, row.WalkEnd) < 0 {
		at, err := s.walkPairs(ctx, row)
		if err != nil || !at.last || row.Backfill {
			return at, err
		}
		if len(at.pairs) > 0 {
			at.last = false
			return at, nil
		}
	}
	return s.itemPairs(ctx, row)
}

// settleTime is after how long every event of a time is in the database: a
// request gets its id when it comes in and is committed or refused within
// seconds, and the clocks of processes differ a little.
const settleTime = 30 * time.Second

func (s *Store) settledID() []byte { return idBound(s.Now().Add(-settleTime)) }

const (
	walkRows  = pairRows
	walkPages = 50 // read in vain before the cursor moves
)

// walkPairs goes through events in the order of their ids.
func (s *Store) walkPairs(ctx context.Context, row *replayRow) (pageRead, error) {
	selection, err := fromJSON[relay.Selection](row.Selection)
	if err != nil {
		return pageRead{}, err
	}
	targets, err := row.targets()
	if err != nil {
		return pageRead{}, err
	}
	slices.SortFunc(targets, func(a, b relay.ReplayTarget) int { return bytes.Compare(a.EndpointID[:], b.EndpointID[:]) })
	bound := row.WalkEnd
	if settled := s.settledID(); row.Backfill && bytes.Compare(settled, bound) < 0 {
		bound = settled
	}
	at := pageRead{end: row.cursor()}
	for range walkPages {
		var rows []eventRow
		q := walkable(s.r.NewSelect().Model(&rows).Column("id", "source_id", "event_type"), row.ProjectID, &selection, at.end.event, bound).
			Where(mayReplay).OrderExpr("id").Limit(walkRows)
		if err := q.Scan(ctx); err != nil {
			return at, translate(err)
		}
		for i := range rows {
			e := &rows[i]
			if !selection.TakesEvent(e.SourceID, e.EventType) {
				at.end = cursor{0, e.ID[:], lastEndpoint}
				continue
			}
			for k := range targets {
				t := &targets[k]
				if after(e.ID[:], t.EndpointID[:], at.end.event, at.end.endpoint) && t.Takes(e.SourceID, e.EventType) {
					at.pairs = append(at.pairs, pair{event: e.ID, endpoint: t.EndpointID, source: e.SourceID, typ: e.EventType})
				}
			}
			at.end = cursor{0, e.ID[:], lastEndpoint}
			if len(at.pairs) >= pairRows {
				return at, nil
			}
		}
		if len(rows) < walkRows {
			at.last = bytes.Equal(bound, row.WalkEnd)
			return at, nil
		}
		if len(at.pairs) > 0 {
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

// gone reports whether an endpoint gets no new deliveries.
func (c *Snapshot) gone(endpoint relay.ID) bool {
	e, ok := c.Endpoint(endpoint)
	return !ok || e.Status == relay.EndpointDisabled
}
