// Package views draws the dashboard: templ components and the plain structs
// that they are filled from.
//
// Every page is one exported component named after what it shows, taking one
// model (EventsPage takes an EventsModel). A model embeds Frame and holds
// domain values; how a time, a size or an id is written is decided here, in
// format.go. What came from strangers is only ever text: it is escaped by
// templ, never part of a link, and its containers carry hx-disable.
package views
