// Package engine has the statements that a delivery goes through: received with its
// event (receive.go), claimed (claim.go), recorded (record.go), given back (release.go,
// reclaim.go), and what people do with single deliveries: retry, replay, discard. Leases
// of what takes long are in leases.go, the statistics in stats.go.
package engine
