// Package jobs carries deliveries from the database, which decides what is to
// be sent and when, to the endpoints.
//
// Redis lies between the two as a small window of work and holds nothing that
// cannot be lost: ids of claimed deliveries, counters of rate limits, nudges
// from one process to another. Without a Redis server an embedded one does the
// same inside the process.
//
// The parts, from the bottom up:
//
//	Sender       one HTTP request to an endpoint, guarded, and what came of it
//	OpenRedis    the Redis server, or the embedded one
//	Wake         makes asynq pick work up at once rather than by polling
//	Limiter      rates that all processes share, held in any stretch of time
//
// What can be sent at once is committed in the hands of the process that will
// send it (handover.go); everything else is due, and claimed (dispatch.go).
//
// asynq is imported in this package only.
package jobs
