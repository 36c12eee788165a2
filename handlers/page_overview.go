package handlers

import (
	"cmp"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/reprise-dev/reprise/db"
	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

func overviewPage(v *visit) error {
	w := windowFor(cmp.Or(v.Query("range"), firstWindow(v.project.CreatedAt, v.now)), v.now)
	stats, err := v.store.Stats(v.ctx, w.query(v.project.ID, relay.ID{}))
	if err != nil {
		return err
	}
	earlier, err := v.store.Stats(v.ctx, w.before().query(v.project.ID, relay.ID{}))
	if err != nil {
		return err
	}
	m := views.OverviewModel{
		Frame: v.frame, Range: w.Name, From: w.From, To: w.To,
		Current: totalsOf(stats.Total), Before: totalsOf(earlier.Total), Buckets: w.buckets(stats.Course),
		HasEndpoint: len(v.endpoints()) > 0,
	}
	if err := v.fillAttention(&m, stats); err != nil {
		return err
	}
	m.FirstSourceID, m.FirstIngestURL = v.firstIngestURL()
	m.HasSource = !m.FirstSourceID.IsZero()
	if m.HasEvent = stats.Total.Events > 0; !m.HasEvent {
		if m.HasEvent, err = v.everReceived(); err != nil {
			return err
		}
	}
	if v.isPoll() {
		return v.news(views.OverviewNews(m))
	}
	return v.render(fiber.StatusOK, views.OverviewPage(m))
}

// fillAttention finds the backlog and what needs a person: endpoints that
// fail, dead letters, replay jobs and endpoints that are paused, and sources
// that are sent bad signatures.
func (v *visit) fillAttention(m *views.OverviewModel, stats db.Stats) error {
	l, err := v.loads()
	if err != nil {
		return err
	}
	if m.OldestWaiting, err = v.oldestWaiting(); err != nil {
		return err
	}
	dead := db.DeliveryFilter{Status: relay.DeliveryDLQ, NewestOnly: true}
	if m.DeadLetters, err = v.store.CountDeliveries(v.ctx, v.project.ID, dead, countCap); err != nil {
		return err
	}
	for status, n := range map[relay.DeliveryStatus]*int{relay.DeliveryPending: &m.Pending, relay.DeliveryRetrying: &m.Retrying} {
		if *n, err = v.store.CountDeliveries(v.ctx, v.project.ID, db.DeliveryFilter{Status: status}, countCap); err != nil {
			return err
		}
	}
	for _, e := range v.endpoints() {
		found, err := v.endpointTroubles(e, totalsOf(stats.ByRef[e.ID]), l)
		if err != nil {
			return err
		}
		m.Attention = append(m.Attention, found...)
	}
	for _, src := range v.sources() {
		if n := int(stats.ByRef[src.ID].Rejected); n > 0 {
			m.Attention = append(m.Attention, views.Attention{
				Kind: views.AttentionRejected, ID: src.ID, Name: src.Name, Count: n, Of: int(stats.ByRef[src.ID].Events),
			})
		}
	}
	paused, err := v.pausedReplays()
	if err != nil {
		return err
	}
	m.Attention = append(m.Attention, paused...)
	slices.SortStableFunc(m.Attention, func(a, b views.Attention) int {
		return cmp.Or(cmp.Compare(urgency(a.Kind), urgency(b.Kind)), cmp.Compare(b.Count, a.Count))
	})
	return nil
}

// pausedReplays are jobs that wait for somebody, the newest few.
func (v *visit) pausedReplays() ([]views.Attention, error) {
	jobs, err := v.store.Replays(v.ctx, v.project.ID, db.ReplayFilter{Status: relay.ReplayPaused}, db.Page{Limit: 5})
	var found []views.Attention
	for i := range jobs.Rows {
		job := v.replay(&jobs.Rows[i])
		found = append(found, views.Attention{
			Kind: views.AttentionReplay, ID: job.ID, Name: "Replay “" + views.ReplayTitle(job) + "”",
			Count: job.Progress.Remaining(), Detail: job.Reason, Since: jobs.Rows[i].UpdatedAt,
		})
	}
	return found, err
}

// oldestWaiting is when the first of what waits for active endpoints is, or
// was, due.
func (v *visit) oldestWaiting() (time.Time, error) {
	due, err := v.store.DueEndpoints(v.ctx)
	var oldest time.Time
	for _, d := range due {
		e, err := v.store.Endpoint(v.project.ID, d.EndpointID)
		if err == nil && e.Status == relay.EndpointActive && (oldest.IsZero() || d.DueAt.Before(oldest)) {
			oldest = d.DueAt
		}
	}
	return oldest, err
}

func (v *visit) endpointTroubles(e *relay.Endpoint, totals views.Totals, l loads) ([]views.Attention, error) {
	var found []views.Attention
	if totals.Failures > 0 {
		a := views.Attention{Kind: views.AttentionFailing, ID: e.ID, Name: e.Name, Count: totals.Failures, Of: totals.Attempts}
		var err error
		if a.Detail, err = v.lastFailure(e.ID); err != nil {
			return nil, err
		}
		found = append(found, a)
	}
	if dead := int(l.dead[e.ID]); dead > 0 {
		found = append(found, views.Attention{Kind: views.AttentionDeadLetters, ID: e.ID, Name: e.Name, Count: dead})
	}
	if e.Status == relay.EndpointPaused {
		found = append(found, views.Attention{
			Kind: views.AttentionPaused, ID: e.ID, Name: e.Name, Count: int(l.waiting[e.ID]), Detail: e.PauseReason,
		})
	}
	return found, nil
}

// lastFailure is what the newest deliveries of an endpoint say went wrong;
// empty if they went well.
func (v *visit) lastFailure(endpoint relay.ID) (string, error) {
	recent, err := v.store.Deliveries(v.ctx, v.project.ID, db.DeliveryFilter{EndpointID: endpoint}, db.Page{Limit: 20})
	for _, d := range recent.Rows {
		if d.LastError != "" {
			return d.LastError, err
		}
	}
	return "", err
}

func urgency(k views.AttentionKind) int {
	return slices.Index([]views.AttentionKind{
		views.AttentionFailing, views.AttentionDeadLetters, views.AttentionReplay, views.AttentionPaused, views.AttentionRejected,
	}, k)
}
