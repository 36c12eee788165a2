package db

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// fillMillion makes n events of fifty types over thirty days; nine of ten of
// them have a delivery to an endpoint, in a status.
func (w *world) fillMillion(b testing.TB, n int, e *relay.Endpoint, status relay.DeliveryStatus) {
	b.Helper()
	series := "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
	base := w.Now().Add(-30 * 24 * time.Hour)
	step := (30 * 24 * time.Hour / time.Duration(n)).Milliseconds()
	const rest = "70008000000000000000"
	id, blob := fmt.Sprintf("unhex(printf('%%012x', %d + i * %d) || '%s')", base.UnixMilli(), step, rest), func(id relay.ID) string { return "X'" + id.Hex() + "'" }
	if w.PG {
		series = "WITH n(i) AS (SELECT generate_series(0, ?))"
		id, blob = fmt.Sprintf("decode(lpad(to_hex(%d + i::int8 * %d), 12, '0') || '%s', 'hex')", base.UnixMilli(), step, rest),
			func(id relay.ID) string { return `'\x` + id.Hex() + `'::bytea` }
	}
	project, source := blob(w.project), blob(w.source.ID)
	at := fmt.Sprintf("%d + i * %d", base.UnixMicro(), step*1000)
	at = strings.Replace(at, "i *", "CAST(i AS bigint) *", 1)
	exec(b, w.Store, series+` INSERT INTO events (id, project_id, source_id, event_type, status, signature_valid, verdict, is_test, content_type, size, received_at)
		SELECT `+id+", "+project+", "+source+`, 'type.' || (i % 50), 'delivered', i >= 0, 'valid', i < 0, 'application/json', 1, `+at+` FROM n`, n-1)
	exec(b, w.Store, series+` INSERT INTO deliveries (id, project_id, event_id, endpoint_id, source_id, event_type, status, lane, attempts,
			fence, interrupted, event_trigger, created_at)
		SELECT `+id+", "+project+", "+id+", "+blob(e.ID)+", "+source+`, 'type.' || (i % 50), '`+string(status)+`', 0, 1, 1, 0, 'ingest', `+at+` FROM n WHERE i % 10 <> 0`, n-1)
	none, bytes := blob(relay.ID{}), "CAST(%s AS blob)"
	if w.PG {
		bytes = "convert_to(%s, 'UTF8')"
	}
	body := fmt.Sprintf(bytes, `'{"type":"invoice.paid","data":{"id":"in_' || i || '","amount":1200,"currency":"eur"}}'`)
	exec(b, w.Store, series+` INSERT INTO payloads (event_id, project_id, method, query, ip, headers, routing, body)
		SELECT `+strings.Join([]string{id, project, "'POST'", none, "'127.0.0.1'", none, none, body}, ", ")+" FROM n", n-1)
	if w.PG {
		_, err := w.W.ExecContext(b.Context(), "VACUUM ANALYZE")
		check(b, err)
	}
}

// BenchmarkPlan plans jobs over a million events:
//
//	go test ./db -run '^$' -bench BenchmarkPlan -benchtime 3x
func BenchmarkPlan(b *testing.B) {
	const events = 1_000_000
	plans := func(status relay.DeliveryStatus, selected, delivered int, selections map[string]relay.Selection) func(*testing.B, *world) {
		return func(b *testing.B, w *world) {
			e := w.addEndpoint(b)
			w.fillMillion(b, events, e, status)
			for name, selection := range selections {
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					for range b.N {
						j := w.planJob(b, to(e), func(j *relay.ReplayJob) { j.SkipDelivered, j.Selection = true, selection })
						if j.Plan.Events != selected || j.Plan.AlreadyDelivered != delivered {
							b.Fatalf("%d events, %d delivered", j.Plan.Events, j.Plan.AlreadyDelivered)
						}
					}
				})
			}
		}
	}
	from := time.Now().Add(-40 * 24 * time.Hour)
	benchBoth(b, plans(relay.DeliveryDelivered, events, events/10*9,
		map[string]relay.Selection{"by time": {From: from}, "by status": {Status: relay.EventDelivered}, "by search": {Q: "eur"}}))
	benchBoth(b, plans(relay.DeliveryDLQ, events/10*9, 0,
		map[string]relay.Selection{"dead letters": {DeliveryStatus: relay.DeliveryDLQ, NewestOnly: true}}))
}
