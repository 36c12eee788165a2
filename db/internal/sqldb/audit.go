package sqldb

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

// AuditRow is an entry of the audit log as it is stored.
type AuditRow struct {
	bun.BaseModel `bun:"table:audit_log"`
	ID            relay.ID `bun:",pk"`
	ProjectID     relay.ID
	At            int64
	ActorKind     string
	ActorID       relay.ID
	ActorName     string
	IP            string
	Action        string
	Target        string
	Data          string
}

// WriteAudit writes an entry within a transaction, filling in its id and time.
func (s *DB) WriteAudit(ctx context.Context, tx bun.IDB, e relay.AuditEntry) error {
	if e.At.IsZero() {
		e.At = s.Now()
	}
	data := e.Data
	if data == nil {
		data = map[string]any{}
	}
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	row := &AuditRow{
		ID: s.auditOrder.next(e.At), ProjectID: e.ProjectID, At: Micros(e.At), ActorKind: string(e.Actor.Kind), ActorID: e.Actor.ID,
		ActorName: Clean(e.Actor.Name), IP: Clean(e.Actor.IP), Action: e.Action, Target: e.Target, Data: string(text),
	}
	_, err = tx.NewInsert().Model(row).Exec(ctx)
	return err
}

// sequence makes ids that sort in the order in which they were asked for, also
// within one microsecond, as long as the clock is not set back.
type sequence struct {
	mu   sync.Mutex
	last time.Time
}

func (q *sequence) next(at time.Time) relay.ID {
	q.mu.Lock()
	defer q.mu.Unlock()
	if behind := q.last.Sub(at); behind >= 0 && behind < time.Second {
		at = q.last.Add(time.Microsecond)
	}
	q.last = at
	return relay.NewIDAt(at)
}

// Audit writes an entry that belongs to no other change.
func (s *DB) Audit(ctx context.Context, e relay.AuditEntry) error {
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return s.WriteAudit(ctx, tx, e) })
}

// Open makes the entry of it.
func (r *AuditRow) Open() (relay.AuditEntry, error) {
	data, err := FromJSON[map[string]any](r.Data)
	return relay.AuditEntry{ID: r.ID, ProjectID: r.ProjectID, At: FromMicros(r.At), Action: r.Action, Target: r.Target, Data: data,
		Actor: relay.Actor{Kind: relay.ActorKind(r.ActorKind), ID: r.ActorID, Name: r.ActorName, IP: r.IP}}, err
}
