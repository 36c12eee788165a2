// Package handlers is what the outside talks to: the ingest URLs, the REST API,
// the calls of other gateways that work here too, and the dashboard's pages.
//
// Every request goes through front, which knows nothing of routes: it names the
// request, refuses what is ambiguous to other HTTP software on the way, and
// turns a panic into an answer. Then routes.go says who handles it.
//
// A handler of the API or of a page gets a call: the Fiber context together
// with the caller, who has been identified, admitted and counted by then. It
// parses, validates, makes one call to the store and renders. What goes wrong
// it returns; handleError turns the kind of error into a status and, depending
// on who asks, into problem+json or a page.
//
// Fiber uses the memory of a request again for the next one. The app runs with
// Immutable set, which makes every string that Fiber hands out a copy. What is
// read past Fiber, from fasthttp, is copied where it is read: in context.go and
// ingest.go, nowhere else.
package handlers
