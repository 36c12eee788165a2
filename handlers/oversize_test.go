package handlers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reprise-dev/reprise/relay"
)

// manyIDs is a list of n ids as programs write it.
func manyIDs(prefix relay.Prefix, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`"`+prefix.Format(relay.NewID())+`", `, n), ", ") + "]"
}

// TestMillionIDs sends far more than the limit of bodies over a real
// connection: the answer names the list, wherever it stands, and reaches
// clients that read only after they have written all.
func TestMillionIDs(t *testing.T) {
	t.Parallel()
	w := setup(t)
	addr := w.listen()
	events, deliveries := manyIDs(relay.PrefixEvent, 1_000_000), manyIDs(relay.PrefixDelivery, 200_000)
	event := w.event(w.source(nil), "x")
	for _, c := range []struct {
		path, body, headers, field string
		status                     int
	}{
		{"/api/v1/replays", `{"event_ids": ` + events + `}`, "", "event_ids", 422},
		{"/v1/replays", `{"dry_run": true, "endpoint_ids": null, "q": "a", "delivery_ids": ` + deliveries + `}`, "", "delivery_ids", 422},
		{"/v1/replays", `{"dry_run": true, "q": ["a", {"b": []}], "delivery_ids": ` + deliveries + `}`, "", "delivery_ids", 422},
		{"/v1/replays", `{"event_ids": ` + events + `}`, "Expect: 100-continue\r\n", "event_ids", 422},
		{"/v1/replays", `{"event_ids": ` + events + `}`, "Connection: keep-alive\r\n", "event_ids", 422},
		{"/api/v1/events/" + event + "/replay", `{"endpoint_ids": ` + deliveries + `}`, "", "endpoint_ids", 422},
		{"/v1/replays", strings.Repeat("[", 20<<20), "", "", 413},
		{"/v1/replays", `{"q": "` + strings.Repeat("a", 20<<20) + `"}`, "", "", 413},
		{"/v1/replays", `{"` + strings.Repeat("a", 20<<20) + `_ids": []}`, "", "", 413},
		{"/v1/events", `{"event_type": "a", "data": ` + deliveries + `}`, "", "", 413},
	} {
		conn := dial(t, addr)
		conn.send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: reprise.test\r\nX-API-Key: %s\r\n%sContent-Length: %d\r\n\r\n", c.path, w.mine.write, c.headers, len(c.body)) +
			c.body + "GET /healthz HTTP/1.1\r\nHost: reprise.test\r\n\r\n")
		got, err := conn.read()
		if err == nil && got.StatusCode == 100 {
			got, err = conn.read()
		}
		if err != nil {
			t.Errorf("%s %.60s: %v", c.path, c.body, err)
			continue
		}
		kind, want := relay.KindTooLarge, []string(nil)
		if c.field != "" {
			kind, want = relay.KindValidation, []string{c.field}
		}
		if fields := got.problem(t, c.status, kind); !cmp.Equal(fields, want) {
			t.Errorf("%s %.60s: %v", c.path, c.body, fields)
		}
		if !got.Close || !conn.closed() {
			t.Errorf("%s %.60s: the connection goes on", c.path, c.body)
		}
	}
	conn := dial(t, addr)
	conn.send(fmt.Sprintf("POST /v1/replays HTTP/1.1\r\nHost: reprise.test\r\nContent-Length: %d\r\n\r\n%s", len(events), events))
	if got, err := conn.read(); err != nil || got.StatusCode != 401 || !conn.closed() {
		t.Errorf("without a key: %v %s", err, got.text)
	}
	if rows := w.api("GET", "/api/v1/replays", nil).rows(t); len(rows) != 0 {
		t.Errorf("something was planned: %v", rows)
	}
}
