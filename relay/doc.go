// Package relay is the domain of Reprise: what a webhook gateway knows and
// decides. It is pure. The time, randomness and everything that came in are
// arguments; nothing here opens a socket, a file or a database.
//
// # The pipeline
//
// A provider posts to a Source. Verify judges the request over its raw bytes,
// EventType and IdempotencyKey read it, and PlanDeliveries compares it with
// every Endpoint of the project. Out of that come one Event, its Payload, a
// Route for each endpoint considered, and a Delivery for each that matched.
// All of them are committed together before the provider gets its answer.
//
// A delivery is brought to its endpoint by attempts. Each sends the very bytes
// that came in, with the headers that ForwardHeaders picks and the signatures
// that SignAll makes. Classify names what came of it and Decide says how the
// delivery goes on. An Attempt is written down and never changes.
//
// Anything received can be sent again. A retry gives a delivery another cycle
// of attempts. A replay makes a new delivery, and leaves the event and all
// that was before as it is.
//
// # The states of a delivery
//
//	               ┌──────────── retry in place ───────────┐
//	               ▼                                       │
//	planned ──► pending ──── 2xx ────► delivered ──────────┤
//	               │ ▲                    ▲                │
//	        failed │ │ retry             2xx               │
//	               ▼ │                    │                │
//	            retrying ─────────────────┘                │
//	             │  ▲ │                                    │
//	      failed └──┘ │ attempts used up                   │
//	                  └──────────────► dlq ────────────────┤
//	                                                       │
//	pending or retrying ── cancelled ──► discarded ────────┘
//
// With no retries allowed, pending goes to dlq at once. While its endpoint is
// paused a delivery waits in the state that it has. CanBecome holds the table.
//
// # The states of an event
//
//	received ──► forwarding ──┬──► delivered   every newest delivery arrived
//	                ▲         └──► failed      one of them is a dead letter
//	                └── retry, replay ──┘
//
//	unmatched   no endpoint wanted it; a replay can still send it
//	rejected    its signature was not valid; never delivered
//	duplicate   its idempotency key was seen before; not delivered
//
// EventStatusOf sums up: of the deliveries to one endpoint the newest counts, but
// for those that a cancelled replay job did not get to send.
//
// # The states of a replay job
//
//	planned ──► running ──┬──► completed
//	   │         ▲  │     ├──► failed
//	   │         │  ▼     │
//	   │        paused    │
//	   │           │      │
//	   └───────────┴──────┴──► cancelled
//
// A planned job is a dry run: its selection is frozen and counted, and nothing
// is sent until someone starts it.
package relay
