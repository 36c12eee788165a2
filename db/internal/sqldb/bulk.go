package sqldb

import (
	"context"
	"fmt"
	"strings"

	"github.com/reprise-dev/reprise/relay"
)

// kind is the type of a column of a bulk statement.
type kind byte

// The types of columns.
const (
	KBytes kind = iota
	KText
	KInt
	KBool
)

var pgTypes = map[kind]string{KBytes: "bytea", KText: "text", KInt: "int8", KBool: "bool"}

// Column is a column of a bulk statement.
type Column struct {
	Name string
	kind kind
}

// Bulk is one statement over many rows. SQLite, in the same process, runs it
// once for each row; PostgreSQL once, over one array for each column.
type Bulk struct {
	Sqlite  string // empty: nothing to do there
	PG      string
	Columns []Column
	Key     int // the column that pg returns for each row it touched, or -1
	Returns int // how many columns come back as rows, on both; 0: none
}

// Work is a bulk statement with its rows. After it ran, hit tells for which
// rows it changed something, if the statement has a key.
type Work struct {
	Bulk *Bulk
	Rows [][]any
	Hit  []bool
	Out  [][]any // what came back, for bulks that return rows
	// Do is set instead of all others, on SQLite: it runs statements of its own.
	Do func(context.Context, SQLiteTx) error
}

// Add adds a row.
func (w *Work) Add(row ...any) { w.Rows = append(w.Rows, row) }

// Durability is whether a transaction is on disk when it has ended. One that
// may be lost in a power cut is not lost when the process dies, nor alone: what
// was committed after it is lost with it.
type Durability int

// How durable a transaction is.
const (
	Durable Durability = iota
	Lazy
	// Synced is on disk when sync has returned.
	Synced
)

// hotPath runs bulk statements, in SQLite's or in PostgreSQL's way.
type hotPath interface {
	// prepare makes the bulks, and other statements of SQLite, ready to run.
	prepare(ctx context.Context, bulks []*Bulk, others []string) error
	// Once runs all works in one transaction.
	Once(context.Context, Durability, ...*Work) error
	// Phases runs a transaction whose later works depend on earlier ones.
	Phases(context.Context, Durability, func(run func(...*Work) error) error) error
	// BackgroundRows is how many rows of what can wait go into one transaction.
	BackgroundRows() int
	Sync(context.Context) error
	maintain(context.Context)
	close()
}

// Cols are columns of one kind, their names apart by spaces.
func Cols(kindOf kind, names string) []Column {
	var out []Column
	for name := range strings.FieldsSeq(names) {
		out = append(out, Column{name, kindOf})
	}
	return out
}

// ColumnsOf joins groups of columns.
func ColumnsOf(groups ...[]Column) []Column {
	var out []Column
	for _, g := range groups {
		out = append(out, g...)
	}
	return out
}

// Unnest is the rows as a table v for PostgreSQL.
func Unnest(columns []Column) string {
	args, names := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		args[i] = fmt.Sprintf("$%d::%s[]", i+1, pgTypes[c.kind])
		names[i] = c.Name
	}
	return fmt.Sprintf("unnest(%s) AS v(%s)", strings.Join(args, ", "), strings.Join(names, ", "))
}

// Insertion is INSERT with whatever follows, such as ON CONFLICT. key is the
// column returned, or empty.
func Insertion(table, suffix, key string, columns []Column) *Bulk {
	names, marks, at := make([]string, len(columns)), make([]string, len(columns)), -1
	for i, c := range columns {
		names[i], marks[i] = c.Name, "?"
		if c.Name == key {
			at = i
		}
	}
	list := strings.Join(names, ", ")
	b := &Bulk{Columns: columns, Key: at}
	b.Sqlite = fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) %s", table, list, strings.Join(marks, ", "), suffix)
	b.PG = fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s %s", table, list, "v."+strings.Join(names, ", v."), Unnest(columns), suffix)
	if at >= 0 {
		b.PG += " RETURNING " + table + "." + key
	}
	return b
}

// Returning makes a statement give back columns of the rows it wrote.
func Returning(b *Bulk, columns string, n int) *Bulk {
	b.Sqlite += " RETURNING " + columns
	b.PG += " RETURNING " + columns
	b.Key, b.Returns = -1, n
	return b
}

// Update sets columns where others match. The first match column is the key.
// also and only are further assignments and conditions, the same for all rows.
func Update(table string, set []Column, also string, match []Column, only string) *Bulk {
	var lite, pg, liteWhere, pgWhere []string
	for _, c := range set {
		lite = append(lite, c.Name+" = ?")
		pg = append(pg, fmt.Sprintf("%s = v.%s", c.Name, c.Name))
	}
	if also != "" {
		lite, pg = append(lite, also), append(pg, also)
	}
	for _, c := range match {
		liteWhere = append(liteWhere, c.Name+" = ?")
		pgWhere = append(pgWhere, fmt.Sprintf("t.%s = v.%s", c.Name, c.Name))
	}
	if only != "" {
		liteWhere, pgWhere = append(liteWhere, only), append(pgWhere, only)
	}
	columns := ColumnsOf(set, match)
	return &Bulk{
		Sqlite:  fmt.Sprintf("UPDATE %s SET %s WHERE %s", table, strings.Join(lite, ", "), strings.Join(liteWhere, " AND ")),
		PG:      fmt.Sprintf("UPDATE %s t SET %s FROM %s WHERE %s RETURNING t.%s", table, strings.Join(pg, ", "), Unnest(columns), strings.Join(pgWhere, " AND "), match[0].Name),
		Columns: columns,
		Key:     len(set),
	}
}

// IDArg and the like are NULL for the zero value.
func IDArg(id relay.ID) any {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

// IntArg is NULL for 0.
func IntArg(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// TextArg is NULL for no text, and clean otherwise.
func TextArg(s string) any {
	if s == "" {
		return nil
	}
	return Clean(s)
}

// Clean makes text that both databases take: valid UTF-8 without NUL.
func Clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// Blob is never NULL.
func Blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
