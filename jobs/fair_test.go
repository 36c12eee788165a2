package jobs

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// TestBlackHolesDelayNobodyFromAFreshStart has fifty endpoints that accept and
// never answer, and two that take long, fill a process that knows none of them:
// what comes for a quick one, unknown as well, waits for none of their requests.
func TestBlackHolesDelayNobodyFromAFreshStart(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		release := make(chan struct{})
		var ended atomic.Int64
		r.sink.script(func(_ http.ResponseWriter, q *http.Request, _ int) {
			if q.URL.Path == "/quick" {
				return
			}
			select {
			case <-release:
			case <-q.Context().Done():
			}
			ended.Add(1)
		})
		holds := make([]*relay.Endpoint, 52)
		for i := range holds {
			holds[i] = r.endpoint(fmt.Sprintf("/hold%d", i), func(e *relay.Endpoint) { e.HTTPTimeout = 15 * time.Second })
		}
		quick := r.endpoint("/quick")
		r.receive(20, holds...)
		r.start()
		t.Cleanup(func() { close(release) })
		r.eventually("they hold what they can", func() bool {
			_, sending := r.engine.places.inUse()
			return sending >= 48
		})
		arrive := func(n int) {
			t.Helper()
			for range n {
				seen := len(r.sink.hits("/quick"))
				r.receive(1, quick)
				r.eventually("an event arrives at the quick one", func() bool { return len(r.sink.hits("/quick")) > seen })
				if n := ended.Load(); n > 0 {
					t.Fatalf("event %d waited until %d requests to others had ended", seen+1, n)
				}
			}
		}
		arrive(20)
		r.eventually("they are known to be slow", func() bool {
			r.engine.places.mu.Lock()
			defer r.engine.places.mu.Unlock()
			return r.engine.places.sending.slow == r.engine.places.sending.all
		})
		arrive(20)
		seen := len(r.sink.hits("/quick"))
		r.receive(200, quick)
		r.eventually("many at a time arrive", func() bool { return len(r.sink.hits("/quick")) == seen+200 })
		if n := ended.Load(); n > 0 {
			t.Errorf("they waited until %d requests to others had ended", n)
		}
	})
}
