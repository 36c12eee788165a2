package handlers

import (
	"errors"
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	w := setup(t)
	if got := w.call("GET", "/healthz", nil); got.StatusCode != 200 || got.text != `{"status":"ok"}` {
		t.Errorf("healthz: %s", got.text)
	}
	if got := w.call("GET", "/readyz", nil).json(t, 200); got["database"] != "ok" || got["redis"] != "ok" {
		t.Errorf("readyz: %v", got)
	}
	w.queue.down = errors.New("dial tcp 10.0.0.1:6379: refused")
	got := w.call("GET", "/readyz", nil)
	if got.json(t, 503)["redis"] != "no answer" || strings.Contains(got.text, "10.0.0.1") {
		t.Errorf("readyz without Redis: %s", got.text)
	}
	w.queue.down = &relay.Error{Kind: relay.KindUnavailable, Detail: "Redis refuses to work: READONLY You can't write against a read only replica."}
	if got := w.call("GET", "/readyz", nil).json(t, 503)["redis"]; got != "Redis refuses to work: READONLY You can't write against a read only replica." {
		t.Errorf("readyz with a replica: %v", got)
	}
	w.event(w.source(nil), "x") // receiving works all the same
}
