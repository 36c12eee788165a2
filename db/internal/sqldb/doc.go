// Package sqldb is the database that everything else in db stands on: connections to
// SQLite (sqlite.go) and PostgreSQL (postgres.go), the schema (migrate.go), bulk
// statements that run in either (bulk.go), the batch writers through which many
// requests share a commit (batchwriter.go) and what can wait yields to what cannot
// (background.go), the clock of the database (clock.go), sealed columns (seal.go) and
// the audit log.
package sqldb
