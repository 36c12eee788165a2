// Package jobs is the engine: it brings deliveries from the database to their
// endpoints, makes those of replay jobs, and removes what is old.
//
// # One idea
//
// SQL says what is due. A task of asynq says that there may be work. Who begins
// it claims it in SQL, and owns it until it is recorded. So a task that is lost,
// doubled, late or foreign is harmless: it finds what is due, or nothing, and the
// same holds for one process and for fifty.
//
//   - A delivery that can be sent at once is committed, together with its event, in
//     the hands of the process that received it (hand.go): that saves the claim.
//     Everything else is due at a time.
//   - A task for deliveries names an endpoint and a lane, or says that this process
//     has some in hand (queue.go). The worker claims a batch in one statement, each
//     claim with a new fence and a lease (deliver.go), makes the requests (package
//     send), and records what came of each: only who knows the fence can.
//   - Between claim and request people pause, cancel and discard. Whoever waited
//     looks at the fence again before it sends (look.go).
//   - What takes long is done in slices of about a second (slice.go): replay jobs
//     (replay.go), retention, pruning, discarding (upkeep.go). A slice has a lease in
//     SQL, leaves in its row where it is, and makes the task of the next one.
//
// # The loops
//
// dispatch.go looks once a second, and when it is told to, for what is due and for
// what has been in hand for long; reconcile.go for leases that have lapsed and for
// slices that nobody works on, and both make tasks. While Redis does not answer
// they do the same work themselves: nothing stops with Redis. The heartbeat has a
// goroutine and a connection of its own; who has been silent for long looks at the
// fence before it sends, since others may have taken its claims over.
//
// # Who gets how much
//
// places.go shares out the window (claims of this process, until they are recorded)
// and the senders (requests at a time): a slow endpoint gets few, slow ones together
// half, replays half, a project half while others wait. Rates and bounds in flight
// hold over all processes, for they are judged in the claim.
//
// # The queues
//
//	deliver:<process>  what one process has in hand, and what it found due
//	deliver            what a process that only receives has made due
//	replay             slices of replay jobs
//	maintenance        the other slices
//
// Tasks go through an interface (tasks.go), which asynq.go implements and package
// simulation does badly on purpose. asynq tries nothing again, schedules nothing and
// keeps nothing: times and counts are the database's. idle.go and wake.go make it pick
// work up at once; redis.go opens the Redis server, embedded.go the one inside the
// process; limit.go holds what people and programs do to rates.
//
// asynq is imported in this package only.
package jobs
