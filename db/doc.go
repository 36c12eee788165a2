// Package db keeps everything that Reprise must not lose, in SQLite or in
// PostgreSQL, with one code for both.
//
// The database decides; Redis only transports. A request that was accepted is
// an event, its payload and its deliveries, committed in one transaction that
// many requests share (batchwriter.go, receive.go). A delivery that waits has
// due_at set; one that a worker holds has lease_until set, and a fence that
// rises with each claim (claim.go). What can be sent at once is made with a
// lease. What a worker reports is written only if its fence is still the
// newest (record.go); a lease that lapses gives the delivery back
// (reclaim.go). What can wait is written a little at a time, and yields after each
// time to what comes in (background.go).
//
// Ids are sixteen bytes, times are microseconds since 1970 in UTC, bodies and
// headers are bytes. Events and deliveries are keyed by project and id. Lists
// are read newest first by id, which begins with the time, so every filter
// needs one index and a time range needs none of its own (plans_test.go).
// Configuration (sources, endpoints, secrets) is held in memory as one
// snapshot and read again when its version changes (snapshot.go).
package db
