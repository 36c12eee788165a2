package engine

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
)

// TaskLease is a turn at something that takes long: one process at a time has it,
// until its lease ends.
type TaskLease struct {
	Name  string
	Step  int64  // counts the turns
	State []byte // what the last turn left
	Until time.Time
}

// TakeTask takes a turn for owner, and reports whether it got it.
func (s *Store) TakeTask(ctx context.Context, name string, owner int64, lease time.Duration) (out TaskLease, mine bool, err error) {
	now := s.Now()
	out = TaskLease{Name: name, Until: now.Add(lease)}
	err = s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		err := tx.QueryRowContext(ctx, `INSERT INTO leases (name, owner, until, step) VALUES (?, ?, ?, 1)
			ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until, step = leases.step + 1
			WHERE leases.until <= ? RETURNING step, state`, name, owner, sqldb.Micros(out.Until), sqldb.Micros(now)).Scan(&out.Step, &out.State)
		mine = err == nil
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return out, mine && err == nil, err
}

// LeaveTask ends a turn: the next one may begin after rest, and finds state. With
// neither a rest nor a state nothing of it stays.
func (s *Store) LeaveTask(ctx context.Context, turn TaskLease, state []byte, rest time.Duration) error {
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if state == nil && rest == 0 {
			_, err := tx.ExecContext(ctx, "DELETE FROM leases WHERE name = ? AND step = ?", turn.Name, turn.Step)
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE leases SET until = ?, state = ? WHERE name = ? AND step = ?",
			sqldb.Micros(s.Now().Add(rest)), state, turn.Name, turn.Step)
		return err
	})
}

// TaskLeases are the turns that are held, rest or have left something, by name.
func (s *Store) TaskLeases(ctx context.Context) (map[string]TaskLease, error) {
	var rows []struct {
		Name        string
		Step, Until int64
	}
	if err := s.R.NewSelect().Table("leases").Column("name", "step", "until").Scan(ctx, &rows); err != nil {
		return nil, sqldb.Translate(err)
	}
	out := make(map[string]TaskLease, len(rows))
	for _, r := range rows {
		out[r.Name] = TaskLease{Name: r.Name, Step: r.Step, Until: sqldb.FromMicros(r.Until)}
	}
	return out, nil
}

// freeTasks ends the turns of processes that cannot be alive.
func (s *Store) freeTasks(ctx context.Context) error {
	return s.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE leases SET until = 0 WHERE owner <> 0")
		return err
	})
}
