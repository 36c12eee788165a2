package handlers

import "github.com/reprise-dev/reprise/views"

// auditActions are the words that the audit log can be narrowed to.
var auditActions = []string{
	"api_key.created", "api_key.revoked", "dead_letters.discarded",
	"endpoint.created", "endpoint.deleted", "endpoint.disabled", "endpoint.enabled", "endpoint.failed_replayed", "endpoint.paused",
	"endpoint.resumed", "endpoint.secret_rotated", "endpoint.test_fired", "endpoint.updated",
	"event.replayed",
	"project.created", "project.updated",
	"replay_job.cancelled", "replay_job.completed", "replay_job.failed", "replay_job.paused", "replay_job.planned", "replay_job.rate_changed", "replay_job.resumed", "replay_job.started",
	"session.ended", "session.failed", "session.started",
	"source.created", "source.deleted", "source.updated",
	"user.created", "user.password_changed",
	"webhook_delivery.discarded", "webhook_delivery.replayed", "webhook_delivery.retried",
}

func auditPage(v *visit) error {
	f := v.filters(auditParams...)
	place, pager := v.place()
	m := views.AuditModel{Frame: v.frame, Actions: auditActions, Pager: pager, Filter: views.AuditFilter{
		Action: v.Query("action"), Actor: v.Query("actor"), From: v.Query("from"), To: v.Query("to"),
	}}
	filter := auditFilter(f.params, v.User)
	if f.ok() {
		found, err := v.store.AuditEntries(v.ctx, v.project.ID, filter, place)
		if err = f.listed(err); err != nil {
			return err
		}
		m.Rows, m.Pager.Next = pointers(found.Rows), found.Next
	}
	m.Errors = f.errors
	return v.render(f.status(), views.AuditPage(m))
}
