package handlers

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// withBody are the calls that read a body. All others ignore what comes with
// them: clients send what they like there, a quoted "{}" among it.
var withBody = regexp.MustCompile(`^PATCH |^POST (/api)?/v1/(` +
	`sources|endpoints|events|api-keys|projects|replays|replay|dead-letters/discard|` +
	`endpoints/:id/(test-fire|replay-failed|secrets/rotate)|events/:id/replay|replays/:id/replay-failed|` +
	`webhooks/sources/:source/events/:event/replay|webhooks/:endpoint/(test-fire|replay-failed))$`)

// takesReason are those of the others that may be told a reason, in an object.
var takesReason = regexp.MustCompile(`/deliveries/:id/discard$|/replays/:id/pause$`)

func TestCallsWithoutABodyTakeAny(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string][2]string{
		"a quoted object":    {`"{}"`, "application/json"},
		"an object":          {`{"nothing":"known"}`, "application/json"},
		"a list":             {`[1]`, "application/json"},
		"half an object":     {`{"a":`, "application/json; charset=utf-8"},
		"a form":             {"a=b", "application/x-www-form-urlencoded"},
		"text":               {"please", "text/plain"},
		"bytes, of no type":  {"\x00\xff\xfe", ""},
		"bytes of many":      {strings.Repeat("x", 100_000), "multipart/form-data; boundary=x"},
		"nothing, as a form": {"", "multipart/form-data"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, func(o *Options) { o.ReplaysPerMinute = 0 })
			routes := w.apiRoutes(w.ownIDs())
			slices.SortStableFunc(routes, func(a, b apiRoute) int { return strings.Compare(order(a), order(b)) })
			tried, gone := 0, map[string]bool{}
			for _, r := range routes {
				signature := r.method + " " + r.pattern
				if !r.write || r.people || withBody.MatchString(signature) || takesReason.MatchString(signature) && sent[0] != "" && sent[0][0] == '{' {
					continue
				}
				tried++
				key := strings.TrimPrefix(r.path, "/api")
				got := w.call(r.method, r.path, sent[0], "X-API-Key", w.mine.write, "Content-Type", sent[1])
				if got.StatusCode >= 300 && !gone[key] && (got.StatusCode != 409 || !moves.MatchString(r.pattern)) {
					t.Errorf("%s: %d %s", signature, got.StatusCode, got.text)
				}
				gone[key] = gone[key] || r.method == "DELETE"
			}
			if tried < 26 {
				t.Errorf("only %d calls without a body", tried)
			}
		})
	}
}
