package jobs

import (
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

func (r *rig) setStatus(e *relay.Endpoint, status relay.EndpointStatus) {
	r.t.Helper()
	_, err := r.store.UpdateEndpoint(r.t.Context(), r.project, e.ID, "endpoint."+string(status), tester, func(e *relay.Endpoint) error {
		e.Status = status
		return nil
	})
	r.must(err)
}

// TestReplayMeetsChangedEndpoints: between the plan and its start one endpoint
// is paused, one disabled and one deleted, and a fourth does not want such
// events any more.
func TestReplayMeetsChangedEndpoints(t *testing.T) {
	onEveryTransport(t, func(t *testing.T, r *rig) {
		events := r.receive(30)
		paused, disabled, deleted, other := r.endpoint("/paused"), r.endpoint("/disabled"), r.endpoint("/deleted"), r.endpoint("/other")
		id := r.plan(1000, []*relay.Endpoint{paused, disabled, deleted, other})
		r.setStatus(paused, relay.EndpointPaused)
		r.setStatus(disabled, relay.EndpointDisabled)
		r.must(r.store.DeleteEndpoint(t.Context(), r.project, deleted.ID, tester))
		_, err := r.store.UpdateEndpoint(t.Context(), r.project, other.ID, "endpoint.updated", tester, func(e *relay.Endpoint) error {
			e.EventFilter = []string{"something.else"}
			return nil
		})
		r.must(err)
		r.start()
		r.launch(id)
		r.eventually("all is made", func() bool {
			p := r.job(id).Progress
			return p.Succeeded == len(events) && p.Gone == 2*len(events) && p.Waiting == len(events)
		})
		r.arrivedOnce("/other", events)
		for _, path := range []string{"/paused", "/disabled", "/deleted"} {
			r.arrivedOnce(path, nil)
		}
		if j := r.job(id); j.Status != relay.ReplayRunning {
			t.Errorf("it is %s while some wait", j.Status)
		}
		r.setStatus(paused, relay.EndpointActive)
		r.client.Nudge(paused.ID)
		j := r.becomes(id, relay.ReplayCompleted)
		r.arrivedOnce("/paused", events)
		if p := j.Progress; p.Processed != p.Total || p.Total != 4*len(events) || p.Succeeded != 2*len(events) {
			t.Errorf("progress %+v", p)
		}
	})
}
