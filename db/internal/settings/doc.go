// Package settings keeps what people set up: projects, sources, endpoints, keys, users
// and their sessions, with the audit log of what they did. What is asked for all the
// time is in memory as one snapshot (snapshot.go).
package settings
