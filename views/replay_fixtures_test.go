package views

import (
	"time"

	"github.com/a-h/templ"

	"github.com/reprise-dev/reprise/relay"
)

func fixtureReplay(n int, status relay.ReplayStatus, total, succeeded, failed, skipped int) *Replay {
	processed := succeeded + failed + skipped
	r := &Replay{
		ID: fixtureID(3000 + n), Status: status, Endpoints: fixtureEndpoints[:1], RateLimit: 50, SkipDelivered: true,
		By: "mara.lindqvist@acme.example", CreatedAt: before(time.Duration(n*n*9+6) * time.Minute), StartedAt: before(time.Duration(n*n*9+4) * time.Minute),
		Selected: []Fact{{Name: "Source", Value: "Stripe, live"}, {Name: "Received", Value: "23 Nov 08:00 – 23 Nov 12:00 UTC"}, {Name: "Types", Value: "invoice.*, charge.refunded"}},
		Progress: ReplayProgress{Total: total, Processed: processed, Succeeded: succeeded, Failed: failed, Skipped: skipped, Rate: 48.6, Left: time.Duration(total-processed) * 20 * time.Millisecond},
	}
	r.Plan = ReplayPlan{
		Events: total + 412, Deliveries: total, Delivered: 412, Oldest: before(6 * time.Hour), Newest: before(125 * time.Minute), Duration: time.Duration(total) * 20 * time.Millisecond,
		ByType:     []Tally{{"invoice.paid", total * 6 / 10}, {"invoice.payment_failed", total * 3 / 10}, {"charge.refunded", total / 10}},
		ByEndpoint: []ReplayDestination{{fixtureEndpoints[0], total, 412}},
		LeftOut:    []Tally{{"The signature was not valid", 37}, {"A duplicate of an earlier event", 12}},
	}
	for _, b := range fixtureBuckets(16, 15*time.Minute) {
		b.At = b.At.Add(-125 * time.Minute)
		r.Plan.ByHour = append(r.Plan.ByHour, b)
	}
	if status.Final() {
		r.FinishedAt = r.StartedAt.Add(134 * time.Second)
	}
	return r
}

func addReplays(pages map[string]templ.Component) {
	frame := fixtureFrame("/replays/x")
	again := ReplayForm{
		Of: "events", SourceID: sourceID(fixtureSources[0].ID), From: "2026-11-23T08:00:00Z", To: "2026-11-23T12:00:00Z", EventTypes: "invoice.*\ncharge.refunded",
		EndpointIDs: []string{relay.PrefixEndpoint.Format(fixtureEndpoints[0].ID)}, RateLimit: "50", SkipDelivered: true, Note: "Billing was down",
	}
	running := fixtureReplay(1, relay.ReplayRunning, 12431, 7213, 58, 12)
	running.Note = "Billing was down from 08:02 to 11:37"
	paused := fixtureReplay(2, relay.ReplayPaused, 5120, 33, 41, 0)
	paused.Reason = "Paused by itself: 27 of its last 50 deliveries failed."
	paused.Progress.Retrying = 214
	done := fixtureReplay(3, relay.ReplayCompleted, 2048, 2048, 0, 0)
	partly := fixtureReplay(4, relay.ReplayCompleted, 96000, 95210, 702, 88)
	partly.Endpoints, partly.AllMatching = fixtureEndpoints[:4], true
	cancelled := fixtureReplay(5, relay.ReplayCancelled, 4000, 811, 3, 0)
	cancelled.Reason, cancelled.Progress.Discarded = "Cancelled by mara.lindqvist@acme.example.", 3186
	planned := fixtureReplay(0, relay.ReplayPlanned, 12431, 0, 0, 0)
	planned.StartedAt, planned.Canary, planned.Note = time.Time{}, 20, "Billing was down from 08:02 to 11:37"
	planned.Endpoints, planned.AllMatching = fixtureEndpoints[:3], true
	planned.Plan.ByEndpoint = []ReplayDestination{{fixtureEndpoints[0], 8120, 412}, {fixtureEndpoints[1], 3901, 0}, {fixtureEndpoints[2], 410, 0}}

	rows := []*Replay{planned, running, paused, done, partly, cancelled}
	pages["replays"] = ReplaysPage(ReplaysModel{Frame: fixtureFrame("/replays"), Rows: rows, Pager: Pager{Next: "c2", Count: -1}})
	pages["replays-empty"] = ReplaysPage(ReplaysModel{Frame: fixtureFrame("/replays")})

	causes := []ReplayFailure{
		{Cause: "status:500:a1", Endpoint: fixtureEndpoints[0], Example: "The endpoint answered 500 Internal Server Error: relation \"invoices\" does not exist", Count: 49, FirstID: fixtureID(2003)},
		{Cause: "timeout", Endpoint: fixtureEndpoints[0], Example: "No answer within 15 s.", Count: 9, FirstID: fixtureID(2012)},
	}
	trying := []ReplayFailure{causes[0], {Cause: "timeout", Endpoint: fixtureEndpoints[0], Example: "No answer within 15 s.", Retrying: 207, FirstID: fixtureID(2012)}}
	trying[0].Retrying = 7
	pages["replay-planned"] = ReplayPage(ReplayModel{Frame: frame, Job: planned, Again: again})
	nothing := *planned
	nothing.Plan, nothing.Progress, nothing.Endpoints = ReplayPlan{}, ReplayProgress{}, nil
	pages["replay-planned-nothing"] = ReplayPage(ReplayModel{Frame: frame, Job: &nothing, Again: again})
	pages["replay-running"] = ReplayPage(ReplayModel{Frame: frame, Job: running, Failures: causes, Again: again})
	pages["replay-paused"] = ReplayPage(ReplayModel{Frame: frame, Job: paused, Failures: trying, Again: again, RateLimit: "0", Errors: map[string]string{"rate_limit": "must be from 1 to 1000"}})
	pages["replay-completed"] = ReplayPage(ReplayModel{Frame: frame, Job: done, Again: again})
	pages["replay-completed-failures"] = ReplayPage(ReplayModel{Frame: frame, Job: partly, Failures: causes, Again: again})
	pages["replay-cancelled"] = ReplayPage(ReplayModel{Frame: frame, Job: cancelled, Again: again})
	foul := *partly
	foul.Note, foul.Reason, foul.By = hostile, hostile, hostile
	foul.Selected, foul.Plan.ByType = []Fact{{Name: "Search", Value: hostile, Note: hostile}}, []Tally{{hostile, 4}}
	pages["replay-hostile"] = ReplayPage(ReplayModel{Frame: frame, Job: &foul, Failures: []ReplayFailure{{Cause: hostile, Example: hostile, Count: 1}}, Again: ReplayForm{Note: "x"}})

	form := ReplayNewModel{Frame: fixtureFrame("/replays/new"), Sources: fixtureSources, Endpoints: fixtureEndpoints, Types: fixtureTypes, Form: again}
	pages["replay-new"] = ReplayNewPage(form)
	form.Form.Errors = map[string]string{"from": "must be before to", "rate_limit": "must be from 1 to 1000"}
	pages["replay-new-faults"] = ReplayNewPage(form)
	form.Form = ReplayForm{Of: ReplayOfDeliveries, DeliveryStatus: ReplayDead, DeliveryEndpointID: relay.PrefixEndpoint.Format(fixtureEndpoints[3].ID), Cause: "timeout", CauseExample: "No answer within 15 s.", RateLimit: "50", SkipDelivered: true}
	pages["replay-new-dead"] = ReplayNewPage(form)
}
