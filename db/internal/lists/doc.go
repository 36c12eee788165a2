// Package lists reads: lists of events and deliveries, searches through bodies, and
// what an overview shows.
package lists
