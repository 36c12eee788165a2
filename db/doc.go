// Package db keeps everything that Reprise must not lose, in SQLite or in
// PostgreSQL, with one code for both.
//
// The database decides; Redis only transports. A request that was accepted is
// an event, its payload and its deliveries, committed in one transaction that
// many requests share. A delivery that waits has due_at set; one that a worker
// holds has lease_until set, and a fence that rises with each claim. What can be
// sent at once is made with a lease. What a worker reports is written only if its
// fence is still the newest; a lease that lapses gives the delivery back. What can
// wait is written a little at a time, and yields after each time to what comes in.
//
// Ids are sixteen bytes, times are microseconds since 1970 in UTC, bodies and
// headers are bytes. Events and deliveries are keyed by project and id. Lists
// are read newest first by id, which begins with the time, so every filter
// needs one index and a time range needs none of its own (plans_test.go).
//
// A Store is made of parts, each on the one before, which it can use but not the
// other way round:
//
//	internal/sqldb     drivers, schema, bulk statements, batch writers
//	internal/settings  projects, sources, endpoints, people, the snapshot of them
//	internal/lists     lists and searches
//	internal/engine    what a delivery goes through, leases, statistics
//	internal/replays   replay jobs: planned, made, controlled
//	internal/upkeep    retention, pruning, metrics
//
// Others know the store by this package alone (types.go). The tests are here, for
// they go through all parts.
package db
