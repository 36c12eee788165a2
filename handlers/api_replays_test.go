package handlers

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

// past is a source with n events, some minutes old, that nobody got.
func (w *world) past(n int, body string) (source object, events []string) {
	w.t.Helper()
	source = w.source(nil)
	for range n {
		events = append(events, w.event(source, body))
		w.clock.advance(time.Second)
	}
	w.clock.advance(5 * time.Minute)
	return source, events
}

// advance lets a job make what it may, and all that is due have one outcome.
func (w *world) advance(id string, status relay.DeliveryStatus, code int) {
	w.t.Helper()
	job := w.replayID(id)
	ctx := context.Background()
	for range 100 {
		w.must(w.store.SettleReplay(ctx, job))
		step, err := w.store.WalkReplay(job).Next(ctx, 1000)
		w.must(err)
		w.settle(status, code)
		now, err := w.store.CheckReplay(ctx, job)
		w.must(err)
		if now != relay.ReplayRunning || step.Stopped {
			return
		}
	}
	w.t.Fatalf("%s does not come to an end", id)
}

func (w *world) replayID(text string) relay.ID {
	w.t.Helper()
	id, err := relay.ParseID(relay.PrefixReplay, text)
	w.must(err)
	return id
}

func (w *world) plan(body object) object {
	w.t.Helper()
	in := object{"dry_run": true}
	for k, v := range body {
		in[k] = v
	}
	w.clock.advance(time.Second) // ids of one millisecond are in no order
	return w.api("POST", "/api/v1/replays", in).data(w.t, 202)
}

func TestReplayPlan(t *testing.T) { onBoth(t, testReplayPlan) }

func testReplayPlan(t *testing.T, w *world) {
	src, events := w.past(3, `{"type":"order.paid"}`)
	w.event(src, `{"type":"order.sent"}`)
	w.event(w.source(nil), `{"type":"order.paid"}`)
	w.clock.advance(time.Minute)
	one, two := w.endpointFor(object{"name": "One", "event_filter": []string{"order.*"}}), w.endpointFor(object{"name": "Two", "event_filter": []string{"x"}})
	body := object{"endpoint_id": one["id"], "source_id": src["id"], "from": w.ago(time.Hour), "to": w.ago(0), "event_type": "order.paid", "rate_limit": 2,
		"note": "the outage", "canary": 1, "skip_delivered": true, "max_events": 100, "dry_run": true}
	got := w.api("POST", "/api/v1/replays", body)
	plan := got.data(t, 202)
	id := plan["id"].(string)
	if got.Header.Get("Location") != "/api/v1/replays/"+id || !strings.HasPrefix(id, "rpl_") {
		t.Errorf("location %q of %s", got.Header.Get("Location"), id)
	}
	want := object{
		"id": id, "project_id": relay.PrefixProject.Format(w.mine.project.ID), "status": "planned", "reason": nil, "endpoint_ids": []any{one["id"]},
		"all_matching": false, "ignore_filter": false, "skip_delivered": true, "backfill": false, "rate_limit": 2.0, "max_events": 100.0, "canary": 1.0,
		"brake": 50.0, "note": "the outage", "started_at": nil, "finished_at": nil,
		"selection": object{"from": plan["selection"].(object)["from"], "to": plan["selection"].(object)["to"], "source_id": src["id"], "event_type": "order.paid",
			"event_types": []any{}, "status": nil, "q": nil, "named": nil, "delivery_status": nil, "delivery_endpoint_id": nil, "newest_only": false, "cause": nil, "replay_id": nil},
		"progress": object{"total": 3.0, "processed": 0.0, "made": 0.0, "waiting": 0.0, "retrying": 0.0, "succeeded": 0.0, "failed": 0.0, "discarded": 0.0,
			"skipped": 0.0, "skipped_delivered": 0.0, "skipped_gone": 0.0, "rate": 0.0, "seconds_left": nil},
	}
	counted := plan["plan"].(object)
	for _, name := range []string{"plan", "created_at", "updated_at", "created_by"} {
		if plan[name] == nil {
			t.Errorf("no %s", name)
		}
		delete(plan, name)
	}
	if diff := cmp.Diff(want, plan); diff != "" {
		t.Error(diff)
	}
	if counted["events"] != 3.0 || counted["deliveries"] != 3.0 || counted["expected_seconds"] != 1.5 || counted["oldest"] == nil || counted["newest"] == nil {
		t.Errorf("plan: %v", counted)
	}
	if diff := cmp.Diff([]any{object{"event_type": "order.paid", "events": 3.0}}, counted["by_type"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]any{object{"endpoint_id": one["id"], "name": "One", "paused": false, "pairs": 3.0, "deliveries": 3.0, "already_delivered": 0.0}}, counted["by_endpoint"]); diff != "" {
		t.Error(diff)
	}
	if n := len(w.deliveriesOf(events[0])); n != 0 {
		t.Errorf("a plan made %d deliveries", n)
	}
	if got := w.plan(object{"source_id": src["id"]}); got["all_matching"] != true || got["plan"].(object)["deliveries"] != 4.0 {
		t.Errorf("everybody who wants it: %v", got)
	}
	named := w.plan(object{"event_ids": []any{events[1], events[1]}, "endpoint_ids": []any{two["id"], one["id"]}, "ignore_filter": true})
	if named["plan"].(object)["deliveries"] != 2.0 || named["selection"].(object)["named"] != 1.0 {
		t.Errorf("by id: %v", named)
	}
	list := w.api("GET", "/v1/replays?limit=2", nil)
	if rows := list.rows(t); len(rows) != 2 || rows[0]["id"] != named["id"] || list.json(t, 200)["has_more"] != true {
		t.Errorf("list: %s", list.text)
	}
	if rows := w.api("GET", "/v1/replays?status=running", nil).rows(t); len(rows) != 0 {
		t.Errorf("running: %v", rows)
	}
	w.api("GET", "/v1/replays?status=busy", nil).problem(t, 422, relay.KindValidation)
}

// ago is a time as programs write it.
func (w *world) ago(d time.Duration) string {
	return w.clock.Now().Add(-d).UTC().Format(time.RFC3339Nano)
}

func TestReplayInput(t *testing.T) { onBoth(t, testReplayInput) }

func testReplayInput(t *testing.T, w *world) {
	e := w.endpointFor(nil)["id"].(string)
	foreign := w.call("POST", "/v1/endpoints", object{"name": "x", "url": "https://example.com/"}, "Authorization", w.other.write).data(t, 201)["id"].(string)
	ids := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(`"",`, n), ",") + "]" }
	for body, field := range map[string]string{
		`{}`: "from", `{"endpoint_id":"` + e + `"}`: "from",
		`{"from":"2026-03-02T00:00:00Z","to":"2026-03-01T00:00:00Z"}`: "to", `{"from":"2026-03-01T00:00:00Z","to":"2026-03-01T00:00:00Z"}`: "to",
		`{"from":"2026-03-01T00:00:00"}`: "from", `{"from":"2026-03-01"}`: "from", `{"from":5}`: "from", `{"q":"a","to":"2026-13-01T00:00:00Z"}`: "to",
		`{"q":"a","rate_limit":0}`: "rate_limit", `{"q":"a","rate_limit":-1}`: "rate_limit", `{"q":"a","rate_limit":1000000000000}`: "rate_limit",
		`{"q":"a","rate_limit":1e12}`: "rate_limit", `{"q":"a","rate_limit":1.5}`: "rate_limit", `{"q":"a","rate_limit":"20"}`: "rate_limit",
		`{"q":"a","rate_limit":99999999999999999999}`: "rate_limit",
		`{"q":"a","max_events":0}`:                    "max_events", `{"q":"a","max_events":-1}`: "max_events", `{"q":"a","max_events":1000001}`: "max_events",
		`{"q":"a","canary":-1}`: "canary", `{"q":"a","brake":101}`: "brake", `{"q":"a","note":"` + strings.Repeat("a", 1001) + `"}`: "note", `{"q":"a\u0000"}`: "q",
		`{"event_ids":` + ids(1_000_000) + `}`: "event_ids", `{"q":"a","endpoint_ids":` + ids(1_000_000) + `}`: "endpoint_ids", `{"delivery_ids":` + ids(10_001) + `}`: "delivery_ids",
		`{"event_ids":[]}`: "event_ids", `{"q":"a","endpoint_ids":[]}`: "endpoint_ids", `{"q":"a","endpoint_id":"` + e + `","endpoint_ids":["` + e + `"]}`: "endpoint_id",
		`{"q":"a","endpoint_id":"` + foreign + `"}`: "endpoint_id", `{"q":"a","endpoint_ids":["` + relay.PrefixEndpoint.Format(relay.NewID()) + `"]}`: "endpoint_ids",
		`{"status":"lost"}`: "status", `{"delivery_status":"lost"}`: "delivery_status", `{"event_type":""}`: "event_type", `{"event_types":["a",""]}`: "event_types[1]",
		`{"q":"a","delivery_status":"failed"}`: "q", `{"q":"a","destination_id":"` + e + `"}`: "destination_id", `{"q":"a","dry_run":"yes"}`: "dry_run",
		`{"event_type":"a","event_types":["b"]}`: "event_type",
	} {
		for _, dryRun := range []string{"", `"dry_run":true,`} {
			if strings.Contains(body, "dry_run") || body == "{}" {
				dryRun = ""
			}
			got := w.api("POST", "/api/v1/replays", strings.Replace(body, "{", "{"+dryRun, 1))
			if fields := got.problem(t, 422, relay.KindValidation); len(fields) == 0 || fields[0] != field {
				t.Errorf("%.100s: %v, want %s", body, fields, field)
			}
		}
	}
	for _, body := range []string{`{"q":"a","endpoint_id":"x"}`, `{"source_id":"evt_` + e[4:] + `"}`, `{"event_ids":["x"]}`} {
		w.api("POST", "/api/v1/replays", body).problem(t, 400, relay.KindInvalidID)
	}
	w.api("POST", "/api/v1/replays", `[]`).problem(t, 422, relay.KindValidation)
	w.api("POST", "/api/v1/replays", `{`).problem(t, 400, relay.KindInvalidRequest)
	if rows := w.api("GET", "/api/v1/replays", nil).rows(t); len(rows) != 0 {
		t.Errorf("something was planned: %v", rows)
	}
}

func TestReplayJob(t *testing.T) { onBoth(t, testReplayJob) }

func testReplayJob(t *testing.T, w *world) {
	src, events := w.past(4, `{"type":"=cmd|' /C calc'!A0"}`)
	e := w.endpointFor(nil)
	in := object{"endpoint_ids": []any{"dst_" + strings.ReplaceAll(e["id"].(string)[4:], "-", "")}, "source_id": src["id"], "rate_limit": 5, "brake": 0, "canary": 1}
	started := w.api("POST", "/api/v1/replays", in, "Idempotency-Key", "k1").data(t, 202)
	if again := w.api("POST", "/api/v1/replays", in, "Idempotency-Key", "k1"); again.data(t, 202)["id"] != started["id"] || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the same request twice: %s", again.text)
	}
	id := started["id"].(string)
	path := "/api/v1/replays/" + id
	if started["status"] != "running" || started["started_at"] == nil {
		t.Errorf("started: %v", started)
	}
	w.advance(id, relay.DeliveryDelivered, 200)
	if job := w.api("GET", path, nil).data(t, 200); job["status"] != "paused" || !strings.HasPrefix(job["reason"].(string), "Canary") || job["progress"].(object)["succeeded"] != 1.0 {
		t.Errorf("canary: %v", job)
	}
	w.api("POST", path+"/pause", nil).problem(t, 409, relay.KindConflict)
	w.api("POST", path+"/start", nil).problem(t, 409, relay.KindConflict)
	if job := w.api("PATCH", path, object{"rate_limit": 7}).data(t, 200); job["rate_limit"] != 7.0 || job["status"] != "paused" {
		t.Errorf("rate: %v", job)
	}
	for body, field := range map[string]string{`{"rate_limit":0}`: "rate_limit", `{"rate_limit":null}`: "rate_limit", `{"rate_limit":1001}`: "rate_limit", `{"note":"x"}`: "note"} {
		if fields := w.api("PATCH", path, body).problem(t, 422, relay.KindValidation); fields[0] != field {
			t.Errorf("%s: %v", body, fields)
		}
	}
	w.api("POST", path+"/resume", nil).data(t, 200)
	if job := w.api("POST", path+"/pause", object{"reason": "lunch"}).data(t, 200); job["status"] != "paused" || !strings.Contains(job["reason"].(string), "lunch") {
		t.Errorf("paused: %v", job)
	}
	w.api("POST", path+"/pause", object{"reason": strings.Repeat("a", 501)}).problem(t, 422, relay.KindValidation)
	w.api("POST", path+"/resume", nil).data(t, 200)
	w.advance(id, relay.DeliveryDLQ, 500)
	job := w.api("GET", path, nil).data(t, 200)
	if p := job["progress"].(object); job["status"] != "completed" || p["total"] != 4.0 || p["processed"] != 4.0 || p["succeeded"] != 1.0 || p["failed"] != 3.0 || job["finished_at"] == nil {
		t.Errorf("completed: %v", job)
	}
	w.api("POST", path+"/cancel", nil).problem(t, 409, relay.KindConflict)
	w.api("PATCH", path, object{"rate_limit": 7}).problem(t, 409, relay.KindConflict)

	groups := w.api("GET", path+"/failures", nil).rows(t)
	if len(groups) != 1 || groups[0]["count"] != 3.0 || !strings.HasPrefix(groups[0]["cause"].(string), "http_500") || groups[0]["endpoint_id"] != e["id"] {
		t.Errorf("failures: %v", groups)
	}
	w.export(path, events)

	again := w.api("POST", path+"/replay-failed", object{"dry_run": true})
	if plan := again.data(t, 202); plan["status"] != "planned" || plan["plan"].(object)["deliveries"] != 3.0 || again.Header.Get("Location") != "/api/v1/replays/"+plan["id"].(string) {
		t.Errorf("only what failed: %s", again.text)
	}
	second := w.api("POST", path+"/replay-failed", nil).data(t, 202)
	if second["status"] != "running" {
		t.Errorf("started: %v", second)
	}
	if got := w.api("POST", "/v1/replays/"+second["id"].(string)+"/cancel", nil).data(t, 200); got["status"] != "cancelled" {
		t.Errorf("cancelled: %v", got)
	}
	var actions []string
	for _, row := range w.api("GET", "/api/v1/audit-log?limit=100", nil).rows(t) {
		if row["target_id"] == id {
			actions = append(actions, row["action"].(string))
		}
	}
	if text := strings.Join(actions, " "); !strings.Contains(text, "replay_job.rate_changed") || !strings.HasSuffix(text, "replay_job.started replay_job.planned") {
		t.Errorf("audit: %v", actions)
	}
}

// export checks both forms of a job's export.
func (w *world) export(path string, events []string) {
	w.t.Helper()
	got := w.api("GET", path+"/export?format=csv", nil)
	rows, err := csv.NewReader(strings.NewReader(got.text)).ReadAll()
	w.must(err)
	if len(rows) != 5 || rows[1][1] != events[0] || rows[1][2] != `'=cmd|' /C calc'!A0` || rows[1][5] != "delivered" || rows[4][5] != "dlq" || rows[4][7] != "500" {
		w.t.Errorf("CSV: %q", rows)
	}
	name := strings.TrimPrefix(path, "/api/v1/replays/")
	if got.Header.Get("Content-Type") != "text/csv; charset=utf-8" || got.Header.Get("Content-Disposition") != `attachment; filename="`+name+`.csv"` || got.Header.Get("Cache-Control") != "no-store" {
		w.t.Errorf("headers: %v", got.Header)
	}
	lines := strings.Split(strings.TrimSpace(w.api("GET", path+"/export?format=jsonl&status=failed", nil).text), "\n")
	var first object
	w.must(json.Unmarshal([]byte(lines[0]), &first))
	if len(lines) != 3 || !slices.Contains(events[1:], first["event_id"].(string)) || first["status"] != "dlq" || first["event_type"] != "=cmd|' /C calc'!A0" {
		w.t.Errorf("JSON lines: %q", lines)
	}
	w.api("GET", path+"/export?format=xml", nil).problem(w.t, 422, relay.KindValidation)
	w.api("GET", path+"/export?status=lost", nil).problem(w.t, 422, relay.KindValidation)
}

func TestReplayStream(t *testing.T) {
	t.Parallel()
	w := setup(t)
	src, _ := w.past(2, "x")
	w.endpointFor(nil)
	id := w.plan(object{"source_id": src["id"]})["id"].(string)
	base := w.serve()
	resp := w.open(base + "/v1/replays/" + id + "/stream")
	lines := bufio.NewScanner(resp.Body)
	next := func() (event string, state object) {
		t.Helper()
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				event = name
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				w.must(json.Unmarshal([]byte(data), &state))
				return event, state
			}
		}
		t.Fatalf("the stream ended: %v", lines.Err())
		return "", nil
	}
	if event, state := next(); event != "progress" || state["id"] != id || state["status"] != "planned" || state["plan"] != nil {
		t.Errorf("%s %v", event, state)
	}
	w.api("POST", "/v1/replays/"+id+"/start", nil).data(t, 200)
	if _, state := next(); state["status"] != "running" {
		t.Errorf("started: %v", state)
	}
	w.advance(id, relay.DeliveryDelivered, 200)
	event, state := next()
	for event == "progress" {
		event, state = next()
	}
	if p := state["progress"].(object); event != "end" || state["status"] != "completed" || p["succeeded"] != 2.0 {
		t.Errorf("%s %v", event, state)
	}
	for lines.Scan() {
		if lines.Text() != "" {
			t.Errorf("after the end: %q", lines.Text())
		}
	}
	if got := w.api("GET", "/v1/replays/"+id+"/stream", nil, "Last-Event-ID", "3"); got.StatusCode != 204 {
		t.Errorf("a browser that comes back: %d", got.StatusCode)
	}
}

func TestCell(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "a=b": "a=b", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r": "'\r", "＝1": "'＝1", "\xff=": "\xff="} {
		if got := cell(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}
