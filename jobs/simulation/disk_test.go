package simulation

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
)

var (
	errDead = errors.New("simulation: the process is dead")
	errLost = errors.New("simulation: the answer to a commit was lost")
)

// sqliteDriver is the driver that package db registers.
var sqliteDriver = sync.OnceValue(func() driver.Driver {
	pool, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		panic(err)
	}
	defer func() { _ = pool.Close() }()
	return pool.Driver()
})

// disk connects a process to the database.
type disk struct {
	process *process
	name    string
}

func (d disk) Driver() driver.Driver { return sqliteDriver() }

func (d disk) Connect(ctx context.Context) (driver.Conn, error) {
	if err := d.process.reach(ctx); err != nil {
		return nil, err
	}
	conn, err := sqliteDriver().Open(d.name)
	if err != nil {
		return nil, err
	}
	return &session{sqliteConn: conn.(sqliteConn), process: d.process}, nil
}

type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// session is a connection that fails when its process cannot reach the database.
// Within a transaction it fails only with the process, so that it never keeps
// others waiting.
type session struct {
	sqliteConn
	process *process
	inTx    bool
}

func (s *session) reach(ctx context.Context) error {
	if s.inTx {
		return s.process.alive()
	}
	return s.process.reach(ctx)
}

func (s *session) ResetSession(ctx context.Context) error {
	if s.process.alive() != nil {
		return driver.ErrBadConn
	}
	return s.sqliteConn.ResetSession(ctx)
}

func (s *session) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if err := s.reach(ctx); err != nil {
		return nil, err
	}
	tx, err := s.sqliteConn.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	s.inTx = true
	return &transaction{tx, s}, nil
}

func (s *session) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := s.reach(ctx); err != nil {
		return nil, err
	}
	return s.sqliteConn.ExecContext(ctx, query, args)
}

func (s *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.reach(ctx); err != nil {
		return nil, err
	}
	return s.sqliteConn.QueryContext(ctx, query, args)
}

func (s *session) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := s.reach(ctx); err != nil {
		return nil, err
	}
	stmt, err := s.sqliteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &statement{stmt.(sqliteStmt), s}, nil
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type statement struct {
	sqliteStmt
	session *session
}

func (s *statement) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.session.reach(ctx); err != nil {
		return nil, err
	}
	return s.sqliteStmt.ExecContext(ctx, args)
}

func (s *statement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.session.reach(ctx); err != nil {
		return nil, err
	}
	return s.sqliteStmt.QueryContext(ctx, args)
}

type transaction struct {
	driver.Tx
	session *session
}

// Commit of a process that died does nothing; now and then the answer is lost.
func (t *transaction) Commit() error {
	t.session.inTx = false
	if t.session.process.alive() != nil {
		_ = t.Tx.Rollback()
		return driver.ErrBadConn
	}
	if err := t.Tx.Commit(); err != nil {
		return err
	}
	if t.session.process.world.losesAnswer() {
		return errors.Join(driver.ErrBadConn, errLost)
	}
	return nil
}

func (t *transaction) Rollback() error {
	t.session.inTx = false
	return t.Tx.Rollback()
}
