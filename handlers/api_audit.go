package handlers

import "github.com/reprise-dev/reprise/relay"

type auditOut struct {
	ID        string         `json:"id"`
	ProjectID *string        `json:"project_id"`
	Action    string         `json:"action"`
	Actor     actorOut       `json:"actor"`
	TargetID  *string        `json:"target_id"`
	Payload   map[string]any `json:"payload"`
	CreatedAt *string        `json:"created_at"`
}

type actorOut struct {
	Type relay.ActorKind `json:"type"`
	ID   *string         `json:"id"`
	Name string          `json:"name"`
	IP   string          `json:"ip"`
}

func auditShape(e *relay.AuditEntry) auditOut {
	prefix := relay.PrefixUser
	if e.Actor.Kind == relay.ActorKey {
		prefix = relay.PrefixKey
	}
	out := auditOut{
		ID: relay.PrefixAudit.Format(e.ID), ProjectID: idOrNull(relay.PrefixProject, e.ProjectID), Action: e.Action,
		Actor:    actorOut{e.Actor.Kind, idOrNull(prefix, e.Actor.ID), e.Actor.Name, e.Actor.IP},
		TargetID: textOrNull(e.Target), Payload: e.Data, CreatedAt: timeOrNull(e.At),
	}
	if out.Payload == nil {
		out.Payload = map[string]any{}
	}
	return out
}

func (a *App) listAudit(c *call) error {
	p, page := c.list(auditParams...)
	filter := auditFilter(p, c.User)
	if err := p.err(); err != nil {
		return err
	}
	rows, err := a.store.AuditEntries(c.ctx, c.Project, filter, page)
	if err != nil {
		return err
	}
	return replyList(c, rows, auditShape)
}
