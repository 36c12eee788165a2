package db

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/engine"
	"github.com/reprise-dev/reprise/db/internal/lists"
	"github.com/reprise-dev/reprise/db/internal/replays"
	"github.com/reprise-dev/reprise/db/internal/settings"
	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// queryLog keeps the queries that a store runs.
type queryLog struct {
	mu      sync.Mutex
	queries []string
}

func (l *queryLog) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queries = append(l.queries, e.Query)
	return ctx
}

func (l *queryLog) AfterQuery(context.Context, *bun.QueryEvent) {}

// fill makes many events, each with a delivery, of which one in a hundred is
// not done. Ids count up.
func (w *world) fill(t *testing.T, endpoints []*relay.Endpoint) {
	t.Helper()
	manyRows := 200_000
	if !w.PG {
		manyRows = 50_000 // SQLite's plans do not depend on it
	}
	list := make([]string, len(endpoints))
	for i, e := range endpoints {
		list[i] = strings.ToUpper(e.ID.Hex())
	}
	series := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
	const rest = "70008000000000000000"
	base := w.Now().Add(-time.Duration(manyRows) * time.Millisecond)
	id, blob := fmt.Sprintf("unhex(printf('%%012x', %d + i) || '%s')", base.UnixMilli(), rest), func(hex string) string { return "X'" + hex + "'" }
	if w.PG {
		series = "WITH n(i) AS (SELECT generate_series(1, ?))"
		id, blob = fmt.Sprintf("decode(lpad(to_hex(%d + i), 12, '0') || '%s', 'hex')", base.UnixMilli(), rest), func(hex string) string { return `'\x` + hex + `'::bytea` }
	}
	source, project, none, endpoint := blob(w.source.ID.Hex()), blob(w.project.Hex()), blob(""), "CASE i % 4 "
	for i := range list {
		endpoint += "WHEN " + string(rune('0'+i)) + " THEN " + blob(list[i]) + " "
	}
	endpoint += "END"
	at := fmt.Sprintf("%d + 1000 * i", base.UnixMicro())
	exec(t, w.Store, series+` INSERT INTO events (id, project_id, source_id, event_type, status, signature_valid, verdict, idempotency_key,
			is_test, content_type, size, received_at)
		SELECT `+id+", "+project+", "+source+`, 'type.' || (i % 50), CASE WHEN i % 100 = 0 THEN 'failed' ELSE 'delivered' END, i % 100 <> 1,
			'valid', 'key-' || (i % 1000), i % 2 = 3, 'text/plain', 1, `+at+` FROM n`, manyRows)
	exec(t, w.Store, series+` INSERT INTO payloads (event_id, project_id, method, query, ip, headers, routing, body)
		SELECT `+id+", "+project+", 'POST', "+none+", '', "+none+", "+none+", "+none+" FROM n", manyRows/20)
	exec(t, w.Store, series+` INSERT INTO deliveries (id, project_id, event_id, endpoint_id, source_id, event_type, status, lane, attempts,
			due_at, fence, lease_until, interrupted, event_trigger, replay_id, created_at)
		SELECT `+id+", "+project+", "+id+", "+endpoint+", "+source+`, 'type.' || (i % 50),
			CASE i % 500 WHEN 0 THEN 'pending' WHEN 1 THEN 'dlq' WHEN 2 THEN 'retrying' ELSE 'delivered' END, i % 3, 1,
			CASE WHEN i % 500 = 0 THEN i END, 1, CASE WHEN i % 500 = 2 THEN i END, 0, 'ingest',
			CASE WHEN i % 1000 = 7 THEN `+source+` END, `+at+` FROM n`, manyRows)
	exec(t, w.Store, series+` INSERT INTO attempts (delivery_id, id, project_id, event_id, endpoint_id, number, outcome, started_at, duration,
			url, request_headers, response_headers, response_body, truncated, error)
		SELECT `+id+", "+id+", "+project+", "+id+", "+source+", 1, 'success', 1, 1, '', "+none+", "+none+", "+none+", i < 0, '' FROM n", manyRows/20)
	check(t, w.R.NewSelect().Table("events").Column("id").Order("id").Limit(2).Offset(1000).Scan(t.Context(), &w.filled))
	if w.PG {
		_, err := w.W.ExecContext(t.Context(), "ANALYZE")
		check(t, err)
	}
}

// TestPlans runs every list with each of its filters on many rows and looks at
// how the database found them: by an index, and without sorting them all.
func TestPlans(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		endpoints := []*relay.Endpoint{w.addEndpoint(t), w.addEndpoint(t), w.addEndpoint(t), w.addEndpoint(t)}
		w.fill(t, endpoints)
		w, log := w.seen()
		event, old, invalid := w.filled[0], w.filled[1], false
		page := sqldb.Page{Limit: 25, Cursor: ""}
		w.checkPlans(t, log, []planCase{
			{name: "events", index: "", run: w.listEvents(lists.EventFilter{}, page)},
			{name: "events of a source", index: "events_source", run: w.listEvents(lists.EventFilter{SourceID: w.source.ID}, page)},
			{name: "events of a type", index: "events_type", run: w.listEvents(lists.EventFilter{EventType: "type.7"}, page)},
			{name: "events by status", index: "events_status", run: w.listEvents(lists.EventFilter{Status: relay.EventFailed}, page)},
			{name: "events not valid", index: "events_invalid", run: w.listEvents(lists.EventFilter{SignatureValid: &invalid}, page)},
			{name: "events by key", index: "events_key", run: w.listEvents(lists.EventFilter{IdempotencyKey: "key-5"}, page)},
			{name: "events in time", index: "", run: w.listEvents(lists.EventFilter{From: w.Now().Add(-time.Hour), To: w.Now()}, page)},
			{name: "events since", index: "", run: w.listEvents(lists.EventFilter{Since: old}, page)},
			{name: "counted events", index: "events_type", run: func(ctx context.Context) error {
				_, err := w.CountEvents(ctx, w.project, lists.EventFilter{EventType: "type.7"}, 1000)
				return err
			}},
			{name: "searched events", index: "", run: w.listEvents(lists.EventFilter{Q: "type.4"}, page)},
			{name: "one event", index: "", run: func(ctx context.Context) error { _, err := w.Event(ctx, w.project, event); return err }},
			{name: "payloads", index: "", run: func(ctx context.Context) error {
				_, err := w.PayloadsOf(ctx, []relay.ID{event, old})
				return err
			}},
			{name: "deliveries", index: "", run: w.listDeliveries(lists.DeliveryFilter{}, page)},
			{name: "deliveries to an endpoint", index: "deliveries_endpoint", run: w.listDeliveries(lists.DeliveryFilter{EndpointID: endpoints[2].ID}, page)},
			{name: "deliveries of an event", index: "deliveries_event", run: w.listDeliveries(lists.DeliveryFilter{EventID: event}, page)},
			{name: "deliveries of a replay", index: "deliveries_replay_list", run: w.listDeliveries(lists.DeliveryFilter{ReplayID: w.source.ID}, page)},
			{name: "deliveries of a source", index: "deliveries_source", run: w.listDeliveries(lists.DeliveryFilter{SourceID: w.source.ID}, page)},
			{name: "deliveries of a type", index: "deliveries_type", run: w.listDeliveries(lists.DeliveryFilter{EventType: "type.9"}, page)},
			{name: "deliveries by status", index: "deliveries_status", run: w.listDeliveries(lists.DeliveryFilter{Status: relay.DeliveryRetrying}, page)},
			{name: "dead letters", index: "deliveries_dead", run: w.listDeliveries(lists.DeliveryFilter{Status: relay.DeliveryDLQ, NewestOnly: true}, page)},
			{name: "dead letters of an endpoint", index: "deliveries_dead_endpoint", run: w.listDeliveries(lists.DeliveryFilter{Status: relay.DeliveryDLQ, NewestOnly: true, EndpointID: endpoints[1].ID}, page)},
			{name: "deliveries in time", index: "", run: w.listDeliveries(lists.DeliveryFilter{From: w.Now().Add(-time.Hour)}, page)},
			{name: "counted deliveries", index: "deliveries_status", run: func(ctx context.Context) error {
				_, err := w.CountDeliveries(ctx, w.project, lists.DeliveryFilter{Status: relay.DeliveryPending}, 1000)
				return err
			}},
			{name: "deliveries of events", index: "deliveries_event", run: func(ctx context.Context) error {
				_, err := w.DeliveriesOfEvents(ctx, []relay.ID{event, old})
				return err
			}},
			{name: "waiting by endpoint", index: "deliveries_due", run: func(ctx context.Context) error { _, err := w.WaitingByEndpoint(ctx, w.project); return err }},
			{name: "dead by endpoint", index: "deliveries_dead_endpoint", run: func(ctx context.Context) error { _, err := w.DeadByEndpoint(ctx, w.project); return err }},
			{name: "last event by source", index: "events_source", run: func(ctx context.Context) error { _, err := w.LastEventBySource(ctx, w.project); return err }},
			{name: "attempts", index: "", run: func(ctx context.Context) error { _, err := w.Attempts(ctx, old); return err }},
			{name: "audit log", index: "audit_list", run: w.listAudit(settings.AuditFilter{}, page)},
			{name: "audit log by action", index: "audit_action", run: w.listAudit(settings.AuditFilter{Action: "source.created"}, page)},
			{name: "audit log by actor", index: "audit_actor", run: w.listAudit(settings.AuditFilter{Actor: "test"}, page)},
			{name: "audit log by actor's id", index: "audit_actor_id", run: w.listAudit(settings.AuditFilter{Actor: relay.PrefixUser.Format(event)}, page)},
			{name: "keys", index: "api_keys_list", run: func(ctx context.Context) error { _, err := w.Keys(ctx, w.project, page); return err }},
			{name: "statistics", index: "", run: func(ctx context.Context) error {
				_, err := w.Stats(ctx, engine.StatsQuery{ProjectID: w.project, From: w.Now().Add(-time.Hour), To: w.Now(), Step: time.Minute})
				return err
			}},
		})
	})
}

// watched is the same world, and what it asks the database.
func (w *world) seen() (*world, *queryLog) {
	log := &queryLog{}
	watched := storeOn(w.Watched(log), 0)
	watched.Plans = replays.PlanSizes{Read: 500, Count: 2000, Sort: 1000}
	watched.Current.Store(w.Config())
	return &world{Store: watched, url: w.url, clock: w.clock, project: w.project, source: w.source, filled: w.filled}, log
}

// planCase is something whose queries are to be found by an index.
type planCase struct {
	name  string
	index string // that SQLite is to use, if not the primary key
	run   func(ctx context.Context) error
	// narrow: it must not walk through all that a project has, sorted or not.
	narrow bool
}

func (w *world) checkPlans(t *testing.T, log *queryLog, cases []planCase) {
	t.Helper()
	for _, c := range cases {
		log.queries = nil
		if err := c.run(t.Context()); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(log.queries) == 0 {
			t.Errorf("%s ran no query", c.name)
		}
		for _, query := range log.queries {
			if !planned.MatchString(query) {
				continue
			}
			plan := w.plan(t, query)
			problem := badPlan(w.PG, plan, c.index)
			if c.narrow {
				problem = widePlan(plan)
			}
			if problem != "" {
				t.Errorf("%s: %s\n%s\n%s", c.name, problem, query, plan)
			}
		}
	}
}

// planned are the statements that a database makes a plan for.
var planned = regexp.MustCompile(`^(SELECT|WITH|INSERT|UPDATE|DELETE)`)

// TestClaimFromABacklog claims while very many deliveries wait, in a fraction of
// the time that reading them all takes.
func TestClaimFromABacklog(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		endpoints := []*relay.Endpoint{w.addEndpoint(t), w.addEndpoint(t), w.addEndpoint(t), w.addEndpoint(t)}
		w.fill(t, endpoints)
		exec(t, w.Store, "UPDATE deliveries SET status = 'pending', due_at = created_at, lane = 0")
		if w.PG {
			_, err := w.W.ExecContext(t.Context(), "ANALYZE")
			check(t, err)
		}
		fastest, whole := time.Hour, time.Hour
		for range 8 {
			begun := time.Now()
			_, err := w.W.ExecContext(t.Context(), "SELECT max(lane + due_at) FROM deliveries WHERE status <> ''")
			check(t, err)
			whole = min(whole, time.Since(begun))
			begun = time.Now()
			due, err := w.DueEndpoints(t.Context())
			check(t, err)
			equal(t, "due endpoints", len(due), 4)
			equal(t, "claims", len(claimFrom(t, w.Store, 50, endpoints...)), 200)
			fastest = min(fastest, time.Since(begun))
		}
		if w.PG && fastest > whole {
			t.Errorf("the fastest of eight took %v, reading all of them %v", fastest, whole)
		}
	})
}

func (w *world) listEvents(f lists.EventFilter, p sqldb.Page) func(context.Context) error {
	return func(ctx context.Context) error { _, err := w.Events(ctx, w.project, f, p); return err }
}

func (w *world) listDeliveries(f lists.DeliveryFilter, p sqldb.Page) func(context.Context) error {
	return func(ctx context.Context) error { _, err := w.Deliveries(ctx, w.project, f, p); return err }
}

func (w *world) listAudit(f settings.AuditFilter, p sqldb.Page) func(context.Context) error {
	return func(ctx context.Context) error { _, err := w.AuditEntries(ctx, w.project, f, p); return err }
}

func (w *world) plan(t *testing.T, query string) string {
	t.Helper()
	prefix := "EXPLAIN QUERY PLAN "
	if w.PG {
		prefix = "EXPLAIN "
	}
	rows, err := w.W.DB.QueryContext(t.Context(), prefix+query)
	check(t, err)
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if w.PG {
			check(t, rows.Scan(&line))
		} else {
			var id, parent, unused int
			check(t, rows.Scan(&id, &parent, &unused, &line))
		}
		lines = append(lines, line)
	}
	check(t, rows.Err())
	return strings.Join(lines, "\n")
}

// widePlan tells whether a plan reads what it does not need. It may sort the
// little that it finds.
func widePlan(plan string) string {
	for line := range strings.SplitSeq(plan, "\n") {
		for _, table := range []string{"events", "deliveries", "payloads", "attempts"} {
			if strings.Contains(line, "Seq Scan on "+table) || strings.Contains(line, "SCAN "+table) {
				return "reads the whole table"
			}
		}
		if line == "SCAN d" && !strings.Contains(plan, "CO-ROUTINE d") {
			return "reads all deliveries"
		}
		if strings.Contains(line, "PRIMARY KEY (project_id=?)") {
			return "walks through the whole project"
		}
	}
	return ""
}

// badPlan tells what is wrong with a plan. PostgreSQL chooses by what the
// tables hold, so there only what is never right is wrong.
func badPlan(pg bool, plan, index string) string {
	for line := range strings.SplitSeq(plan, "\n") {
		for _, table := range []string{"events", "deliveries", "payloads", "attempts"} {
			if strings.Contains(line, "Seq Scan on "+table) || strings.Contains(line, "SCAN "+table) && !strings.Contains(line, "INDEX") {
				return "reads the whole table"
			}
		}
	}
	if strings.Contains(plan, "FOR ORDER BY") {
		return "sorts"
	}
	if !pg && index != "" && !strings.Contains(plan, index) {
		return "does not use " + index
	}
	return ""
}
