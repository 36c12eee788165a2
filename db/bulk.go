package db

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// kind is the type of a column of a bulk statement.
type kind byte

const (
	kBytes kind = iota
	kText
	kInt
	kBool
)

var pgTypes = map[kind]string{kBytes: "bytea", kText: "text", kInt: "int8", kBool: "bool"}

type column struct {
	name string
	kind kind
}

// bulk is one statement over many rows. SQLite, in the same process, runs it
// once for each row; PostgreSQL once, over one array for each column.
type bulk struct {
	sqlite  string // empty: nothing to do there
	pg      string
	columns []column
	key     int // the column that pg returns for each row it touched, or -1
	returns int // how many columns come back as rows, on both; 0: none
}

// work is a bulk statement with its rows. After it ran, hit tells for which
// rows it changed something, if the statement has a key.
type work struct {
	bulk *bulk
	rows [][]any
	hit  []bool
	out  [][]any // what came back, for bulks that return rows
	// claiming is set instead of all others: a claim on SQLite.
	claiming *claiming
}

func (w *work) add(row ...any) { w.rows = append(w.rows, row) }

// durability is whether a transaction is on disk when it has ended. One that
// may be lost in a power cut is not lost when the process dies, nor alone: what
// was committed after it is lost with it.
type durability int

const (
	durable durability = iota
	lazy
	// synced is on disk when sync has returned.
	synced
)

// hotPath runs bulk statements, in SQLite's or in PostgreSQL's way.
type hotPath interface {
	prepare(context.Context) error
	// once runs all works in one transaction.
	once(context.Context, durability, ...*work) error
	// phases runs a transaction whose later works depend on earlier ones.
	phases(context.Context, durability, func(run func(...*work) error) error) error
	// backgroundRows is how many rows of what can wait go into one transaction.
	backgroundRows() int
	sync(context.Context) error
	claim(context.Context, ClaimRequest, claimTimes) ([]Claim, time.Duration, error)
	maintain(context.Context)
	close()
}

func cols(kindOf kind, names string) []column {
	var out []column
	for name := range strings.FieldsSeq(names) {
		out = append(out, column{name, kindOf})
	}
	return out
}

func columnsOf(groups ...[]column) []column {
	var out []column
	for _, g := range groups {
		out = append(out, g...)
	}
	return out
}

// unnest is the rows as a table v for PostgreSQL.
func unnest(columns []column) string {
	args, names := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		args[i] = fmt.Sprintf("$%d::%s[]", i+1, pgTypes[c.kind])
		names[i] = c.name
	}
	return fmt.Sprintf("unnest(%s) AS v(%s)", strings.Join(args, ", "), strings.Join(names, ", "))
}

// insertion is INSERT with whatever follows, such as ON CONFLICT. key is the
// column returned, or empty.
func insertion(table, suffix, key string, columns []column) *bulk {
	names, marks, at := make([]string, len(columns)), make([]string, len(columns)), -1
	for i, c := range columns {
		names[i], marks[i] = c.name, "?"
		if c.name == key {
			at = i
		}
	}
	list := strings.Join(names, ", ")
	b := &bulk{columns: columns, key: at}
	b.sqlite = fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) %s", table, list, strings.Join(marks, ", "), suffix)
	b.pg = fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s %s", table, list, "v."+strings.Join(names, ", v."), unnest(columns), suffix)
	if at >= 0 {
		b.pg += " RETURNING " + table + "." + key
	}
	return b
}

// returning makes a statement give back columns of the rows it wrote.
func returning(b *bulk, columns string, n int) *bulk {
	b.sqlite += " RETURNING " + columns
	b.pg += " RETURNING " + columns
	b.key, b.returns = -1, n
	return b
}

// update sets columns where others match. The first match column is the key.
// also and only are further assignments and conditions, the same for all rows.
func update(table string, set []column, also string, match []column, only string) *bulk {
	var lite, pg, liteWhere, pgWhere []string
	for _, c := range set {
		lite = append(lite, c.name+" = ?")
		pg = append(pg, fmt.Sprintf("%s = v.%s", c.name, c.name))
	}
	if also != "" {
		lite, pg = append(lite, also), append(pg, also)
	}
	for _, c := range match {
		liteWhere = append(liteWhere, c.name+" = ?")
		pgWhere = append(pgWhere, fmt.Sprintf("t.%s = v.%s", c.name, c.name))
	}
	if only != "" {
		liteWhere, pgWhere = append(liteWhere, only), append(pgWhere, only)
	}
	columns := columnsOf(set, match)
	return &bulk{
		sqlite:  fmt.Sprintf("UPDATE %s SET %s WHERE %s", table, strings.Join(lite, ", "), strings.Join(liteWhere, " AND ")),
		pg:      fmt.Sprintf("UPDATE %s t SET %s FROM %s WHERE %s RETURNING t.%s", table, strings.Join(pg, ", "), unnest(columns), strings.Join(pgWhere, " AND "), match[0].name),
		columns: columns,
		key:     len(set),
	}
}

// idArg and the like are NULL for the zero value.
func idArg(id relay.ID) any {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

func intArg(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

func textArg(s string) any {
	if s == "" {
		return nil
	}
	return clean(s)
}

// clean makes text that both databases take: valid UTF-8 without NUL.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// blob is never NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
