// Package replays has the replay jobs: planning (plan.go and plan_*.go), making their
// deliveries page by page (page.go), and what people do with them (jobs_control.go).
package replays
