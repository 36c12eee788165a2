// Package upkeep keeps the database small and whole: retention, pruning, the sealing of
// rows of earlier versions. It also tells how much there is to do (metrics.go).
package upkeep
