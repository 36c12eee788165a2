// Package send makes the requests that bring an event to an endpoint, and says
// what came of each.
//
// A Sender makes one attempt for one Request and answers with a Result: it knows
// nothing of queues, claims or the database, and tries nothing again. What it sends
// is the body as it came in, with headers of which it says whose they are
// (request.go), signed with every live secret of the endpoint. Connections go to
// addresses that the egress policy allows, judged on the very address that is
// connected to (dialer.go); projects share none (transport.go). Of an answer the
// beginning is kept (answer.go). What went wrong is an outcome, by which package
// relay decides whether there is another attempt, and a sentence that says what to
// do about it (failure.go).
package send
