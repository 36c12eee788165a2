package handlers

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/db/dbtest"
	"github.com/reprise-dev/reprise/relay"
)

// TestAnUnreadableRowIsItsProjectsAffair spoils what is sealed of a source and an
// endpoint. That froze the configuration of all projects.
func TestAnUnreadableRowIsItsProjectsAffair(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.source(object{"slug": "broken", "name": "Broken source"})
		e := w.endpointFor(object{"name": "Broken endpoint"})
		fine := w.source(object{"slug": "fine"})
		junk := make([]byte, 100)
		_, _ = rand.Read(junk)
		dbtest.Exec(t, w.url, "UPDATE sources SET verifier = $1 WHERE slug = 'broken'", junk)
		dbtest.Exec(t, w.url, "UPDATE endpoints SET private = $1 WHERE name = 'Broken endpoint'", junk)

		other := w.call("POST", "/api/v1/sources", object{"name": "After"}, "X-API-Key", w.other.write).data(t, 201)
		w.call("POST", "/in/"+other["slug"].(string), "x").json(t, 202)
		got := w.call("POST", "/in/broken", "x")
		if got.problem(t, 503, relay.KindUnavailable); got.Header.Get("Retry-After") == "" {
			t.Errorf("%v", got.Header)
		}
		id := w.event(fine, "x")
		d := w.deliveriesOf(id)
		if len(d) != 1 || d[0]["status"] != "pending" {
			t.Errorf("deliveries for the endpoint: %v", d)
		}
		if shown := w.api("GET", "/api/v1/endpoints/"+e["id"].(string), nil).data(t, 200); shown["status"] != "paused" {
			t.Errorf("the endpoint is %v", shown["status"])
		}
		w.api("PATCH", "/api/v1/endpoints/"+e["id"].(string), object{"name": "x"}).problem(t, 409, relay.KindConflict)
		page := w.call("GET", "/", nil, "Cookie", w.logIn(testEmail))
		if !strings.Contains(page.text, "Broken source, Broken endpoint") {
			t.Error("its own project is not told")
		}
		if page := w.call("GET", "/", nil, "Cookie", w.logIn("eve@example.com")); strings.Contains(page.text, "Broken") {
			t.Error("another project is told")
		}
	})
}
