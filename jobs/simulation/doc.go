// Package simulation runs several processes of the engine in simulated time, on
// one database and one Redis, while things fail, and checks after every second
// that nothing is lost, forgotten, sent by two at once or counted wrongly.
//
// What runs is the engine itself: package jobs, package db on SQLite, asynq on the
// embedded Redis. Simulated are the clock (testing/synctest: a second passes when
// nobody has anything left to do in it), the receivers, and the three ways on which
// a process reaches others, each with a seam of its own: the driver of the database
// (db.Options.SQLite), the connections to Redis, and the requests (jobs.Sender). A
// process that is killed reaches nobody any more from one statement to the next.
//
// A seed says what is done and what fails when. In what order things happen within
// a moment is up to the Go runtime, so that a seed that broke something may have to
// run a few times:
//
//	go test ./jobs/simulation -seeds 1 -first 4711 -count 20
//
// What SQLite and one clock cannot show, several processes on PostgreSQL and
// clocks that differ, is for the black box: make torture.
package simulation
