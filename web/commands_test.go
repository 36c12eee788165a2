package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// oneThing is an answer that suits every command.
const oneThing = `{"id":"x_1","status":"pending","deliveries":[{"id":"wdl_9","status":"pending"}],"discarded":3}`

func TestOneThingCommands(t *testing.T) {
	t.Parallel()
	for command, call := range map[string]string{
		"events replay evt_1": `POST /api/v1/events/evt_1/replay {}`,
		"events replay evt_1 --endpoint whk_1 --endpoint whk_2": `POST /api/v1/events/evt_1/replay {"endpoint_ids":["whk_1","whk_2"]}`,
		"events trigger --endpoint whk_1 --event a.b":           `POST /api/v1/endpoints/whk_1/test-fire {"event":"a.b"}`,
		"endpoints":                         `GET /api/v1/endpoints?limit=100`,
		"endpoints pause whk_1":             `POST /api/v1/endpoints/whk_1/pause`,
		"endpoints resume ../x":             `POST /api/v1/endpoints/..%2Fx/resume`,
		"endpoints create --name a --url u": `POST /api/v1/endpoints {"name":"a","url":"u"}`,
		"endpoints create --name a --url u --source wsr_1 --type a.*,b --backfill-days 3": `POST /api/v1/endpoints {"backfill_days":3,"event_filter":["a.*","b"],"name":"a","source_ids":["wsr_1"],"url":"u"}`,
		"deliveries retry wdl_1":                                    `POST /api/v1/deliveries/wdl_1/retry {}`,
		"deliveries replay ../x":                                    `POST /api/v1/deliveries/..%2Fx/replay {}`,
		"deliveries discard wdl_1 --reason gone":                    `POST /api/v1/deliveries/wdl_1/discard {"reason":"gone"}`,
		"dead-letters discard --endpoint w --cause c --reason gone": `POST /api/v1/dead-letters/discard {"cause":"c","endpoint_id":"w","reason":"gone"}`,
		"replay plan --delivery-id wdl_1,wdl_2 --brake 0":           `POST /api/v1/replays {"brake":0,"delivery_ids":["wdl_1","wdl_2"],"dry_run":true}`,
		"replay start -d --replay rpl_1 --newest-only --brake 80":   `POST /api/v1/replays {"brake":80,"dry_run":false,"newest_only":true,"replay_id":"rpl_1"}`,
		"replay plan --delivery-status failed --newest-only=false":  `POST /api/v1/replays {"delivery_status":"failed","dry_run":true,"newest_only":false}`,
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			s := newScripted(t, oneThing)
			var out bytes.Buffer
			status, stderr := s.run(t, &out, strings.Fields(command)...)
			if status != 0 || len(s.calls) != 1 || s.calls[0] != call || out.Len() == 0 {
				t.Errorf("status %d, calls %q, out %q, %q", status, s.calls, out.String(), stderr)
			}
		})
	}
	for line, says := range map[string]string{
		"endpoints pause":                                  "accepts 1 arg",
		"endpoints create --url u":                         "--name",
		"endpoints create --name a":                        "--url",
		"events replay":                                    "accepts 1 arg",
		"events trigger --event a":                         "--endpoint",
		"deliveries discard":                               "accepts 1 arg",
		"dead-letters discard --cause c --reason r":        "--endpoint",
		"dead-letters discard --endpoint w --reason r":     "--cause",
		"dead-letters discard --endpoint w --cause c":      "--reason",
		"dead-letters replay":                              "unknown command",
		"replay start rpl_1 --brake 5":                     "leave out the selection",
		"replay plan --brake half":                         "--brake",
		"replay plan --delivery-id wdl_1 --newest-only=so": "--newest-only",
	} {
		s := newScripted(t, "{}")
		if status, stderr := s.run(t, io.Discard, strings.Fields(line)...); status != 1 || !strings.Contains(stderr, says) || len(s.calls) != 0 {
			t.Errorf("%s: status %d, calls %q, %q", line, status, s.calls, stderr)
		}
	}
}

// TestJSON prints what the server said, whole.
func TestJSON(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"events replay evt_1", "deliveries retry wdl_1", "deliveries discard wdl_1", "dead-letters discard --endpoint w --cause c --reason r", "dead-letters"} {
		s := newScripted(t, oneThing)
		var out bytes.Buffer
		status, stderr := s.run(t, &out, append(strings.Fields(line), "--json")...)
		var said struct{ Data json.RawMessage }
		if err := json.Unmarshal(out.Bytes(), &said); err != nil || status != 0 || len(said.Data) == 0 {
			t.Errorf("%s: status %d, out %q, %q", line, status, out.String(), stderr)
		}
	}
}

// TestNothingReplayed says so when no endpoint takes an event.
func TestNothingReplayed(t *testing.T) {
	t.Parallel()
	s := newScripted(t, `{"deliveries":[]}`)
	var out bytes.Buffer
	if status, stderr := s.run(t, &out, "events", "replay", "evt_1"); status != 1 || !strings.Contains(stderr, "--endpoint") || out.Len() != 0 {
		t.Errorf("status %d, out %q, %q", status, out.String(), stderr)
	}
}

// TestFaultsNameFlags has every field that the server may complain of called
// by its flag.
func TestFaultsNameFlags(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"rate_limit": "--rate", "event_types[3]": "--type", "endpoint_ids": "--endpoint", "endpoint_id": "--endpoint", "brake": "--brake",
		"delivery_ids": "--delivery-id", "replay_id": "--replay", "newest_only": "--newest-only", "cause": "--cause", "reason": "--reason", "event": "--event", "id": "id",
		"name": "--name", "url": "--url", "source_ids[0]": "--source", "event_filter[1]": "--type", "backfill_days": "--backfill-days",
	} {
		if got := flagOf(field); got != want {
			t.Errorf("%s is called %s, want %s", field, got, want)
		}
	}
}
