package views

import (
	"strings"
	"testing"

	"github.com/reprise-dev/reprise/relay"
)

// oneLine is a command without its line breaks.
func oneLine(command string) string { return strings.ReplaceAll(command, " \\\n  ", " ") }

// TestLongCommands breaks long commands before flags, never within a word.
func TestLongCommands(t *testing.T) {
	t.Parallel()
	note := strings.Repeat("a --b ", 20)
	if got, want := reprise("replay", "plan", "--note", note, "--rate", "5"), "reprise replay plan \\\n  --note '"+note+"' \\\n  --rate 5"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := reprise("replay", "plan", "--rate", "5"); got != "reprise replay plan --rate 5" {
		t.Error(got)
	}
}

// TestReplayFormCommands has forms say the same to the command line and to the
// API.
func TestReplayFormCommands(t *testing.T) {
	t.Parallel()
	f := Frame{PublicURL: "https://h.example", Now: fixtureNow}
	const head = "curl -X POST https://h.example/api/v1/replays \\\n  -H \"Authorization: Bearer $REPRISE_API_KEY\" \\\n  -H 'Content-Type: application/json' \\\n  -d '"
	for name, test := range map[string]struct {
		form          ReplayForm
		command, body string
	}{
		"a filter": {
			ReplayForm{Of: "events", EventTypes: "a.*\nb", Status: "failed", Q: "it's", From: "2026-11-22T08:00", SkipDelivered: true},
			`reprise replay plan --from 2026-11-22T08:00:00Z --type 'a.*' --type b --status failed --query 'it'\''s' --skip-delivered`,
			`{"from":"2026-11-22T08:00:00Z","event_types":["a.*","b"],"status":"failed","q":"it'\''s","skip_delivered":true,"dry_run":true}`,
		},
		"everything": {
			ReplayForm{Of: "events"}, `reprise replay plan --to ` + fixtureNow.UTC().Format("2006-01-02T15:04:05Z"),
			`{"to":"` + fixtureNow.UTC().Format("2006-01-02T15:04:05Z") + `","dry_run":true}`,
		},
		"dead letters, which the API takes without those replayed since": {
			ReplayForm{Of: ReplayOfDeliveries, DeliveryStatus: ReplayDead, DeliveryEndpointID: "whk_1", Cause: "http_500"},
			`reprise replay plan --delivery-status failed --delivery-endpoint whk_1 --cause http_500`,
			`{"delivery_status":"failed","delivery_endpoint_id":"whk_1","cause":"http_500","dry_run":true}`,
		},
		"all dead letters": {
			ReplayForm{Of: ReplayOfDeliveries, DeliveryStatus: string(relay.DeliveryDLQ)},
			`reprise replay plan --delivery-status dlq --newest-only=false`, `{"delivery_status":"dlq","newest_only":false,"dry_run":true}`,
		},
		"what a job failed to deliver": {
			ReplayForm{Of: ReplayOfDeliveries, DeliveryStatus: ReplayDead, ReplayID: "rpl_1", RateLimit: "5", Canary: "3", Brake: "0", Note: "again; now"},
			`reprise replay plan --delivery-status failed --newest-only=true --replay rpl_1 --rate 5 --canary 3 --brake 0 --note 'again; now'`,
			`{"delivery_status":"failed","newest_only":true,"replay_id":"rpl_1","rate_limit":5,"canary":3,"brake":0,"note":"again; now","dry_run":true}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := f.plan("x", test.form)
			got.Lines[0] = oneLine(got.Lines[0])
			if want := []string{test.command, head + test.body + "'"}; got.Lines[0] != want[0] || got.Lines[1] != want[1] {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got.Lines, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// TestCommandsLeaveOutWhatIsRefused offers nothing that the page does not.
func TestCommandsLeaveOutWhatIsRefused(t *testing.T) {
	t.Parallel()
	d := fixtureDelivery(1)
	all := DeliveryModel{Delivery: d}
	none := DeliveryModel{Delivery: d, NoReplay: "no", NoRetry: "no", NoDiscard: "no"}
	if a, b := len(deliveryCommands(all)), len(deliveryCommands(none)); a != 3 || b != 0 {
		t.Errorf("%d and %d commands of a delivery", a, b)
	}
	if n := len(eventCommands(EventModel{Event: fixtureEvent(1), NotReplayable: "no"})); n != 0 {
		t.Errorf("%d commands of an event that cannot be replayed", n)
	}
}

// TestDeadLetterCommandsFollowTheChoice names the group that is chosen.
func TestDeadLetterCommandsFollowTheChoice(t *testing.T) {
	t.Parallel()
	m := DeadLettersModel{All: 3, Causes: []DeadLetterCause{
		{Endpoint: fixtureEndpoints[0], Cause: "http_500", Count: 2}, {Endpoint: fixtureEndpoints[1], Cause: "timeout", Count: 1},
	}}
	said := func() string {
		var lines []string
		for _, c := range deadLetterCommands(m) {
			lines = append(lines, c.Name, oneLine(c.Lines[0]), c.Lines[1])
		}
		return strings.Join(lines, "\n")
	}
	if s := said(); !strings.Contains(s, "Discard the largest group\nreprise dead-letters discard --endpoint "+relay.PrefixEndpoint.Format(fixtureEndpoints[0].ID)+" --cause http_500") {
		t.Error(s)
	}
	m.Filter = DeliveryFilter{EndpointID: relay.PrefixEndpoint.Format(fixtureEndpoints[1].ID), Cause: "timeout"}
	if s := said(); strings.Contains(s, "http_500") || !strings.Contains(s, "Replay this group\nreprise replay start --delivery-status failed --delivery-endpoint "+m.Filter.EndpointID+" --cause timeout") {
		t.Error(s)
	}
}
