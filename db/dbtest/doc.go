// Package dbtest gives tests the real servers: PostgreSQL and Redis.
//
// `make test` starts one of each for all packages (see the with command) and
// passes their addresses in REPRISE_TEST_POSTGRES and REPRISE_TEST_REDIS. A
// test binary that runs without them starts its own servers at the first use.
// Either way each call of Postgres or Redis answers with a database of its
// own, so tests run in parallel, and binaries beside each other.
//
// A server never outlives the process that started it, not even one that was
// killed: each is watched by a shell that stops the server and removes its
// files when the pipe from its parent closes.
//
// A program that is missing fails the test with a sentence; nothing is
// skipped.
package dbtest
