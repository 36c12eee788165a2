package views

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

const endpointsShown = 6

// replayBody is a job as the API takes it, fields in the order of reading.
type replayBody struct {
	EndpointIDs        []string `json:"endpoint_ids,omitempty"`
	SourceID           string   `json:"source_id,omitempty"`
	From               string   `json:"from,omitempty"`
	To                 string   `json:"to,omitempty"`
	EventTypes         []string `json:"event_types,omitempty"`
	Status             string   `json:"status,omitempty"`
	Q                  string   `json:"q,omitempty"`
	DeliveryStatus     string   `json:"delivery_status,omitempty"`
	NewestOnly         *bool    `json:"newest_only,omitempty"`
	DeliveryEndpointID string   `json:"delivery_endpoint_id,omitempty"`
	Cause              string   `json:"cause,omitempty"`
	ReplayID           string   `json:"replay_id,omitempty"`
	RateLimit          int      `json:"rate_limit,omitempty"`
	MaxEvents          int      `json:"max_events,omitempty"`
	IgnoreFilter       bool     `json:"ignore_filter,omitempty"`
	SkipDelivered      bool     `json:"skip_delivered,omitempty"`
	Canary             int      `json:"canary,omitempty"`
	Note               string   `json:"note,omitempty"`
	DryRun             bool     `json:"dry_run,omitempty"`
}

func (f ReplayForm) body() replayBody {
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			return 0
		}
		return n
	}
	b := replayBody{
		EndpointIDs: f.EndpointIDs, SourceID: f.SourceID, From: apiTime(f.From), To: apiTime(f.To), EventTypes: SplitList(f.EventTypes),
		Status: f.Status, Q: f.Q, RateLimit: number(f.RateLimit), MaxEvents: number(f.MaxEvents), Canary: number(f.Canary),
		IgnoreFilter: f.IgnoreFilter, SkipDelivered: f.SkipDelivered, Note: f.Note, DryRun: true,
	}
	if f.Of == ReplayOfDeliveries {
		b.DeliveryStatus, b.DeliveryEndpointID, b.Cause, b.ReplayID = f.DeliveryStatus, f.DeliveryEndpointID, f.Cause, f.ReplayID
		b.Status, b.Q = "", ""
		if f.DeliveryStatus == string(relay.DeliveryDLQ) { // the API leaves those out that were replayed since
			b.NewestOnly = new(bool)
		}
	}
	return b
}

func apiTime(s string) string {
	t, ok := readTime(s)
	if !ok {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// replayCommands do by the API and the command line what the page does.
func replayCommands(m ReplayModel) []Fact {
	id := relay.PrefixReplay.Format(m.Job.ID)
	api := func(path string) string {
		return "curl -X POST " + shellQuote(m.PublicURL+"/api/v1/replays"+path) + " \\\n  -H \"Authorization: Bearer $REPRISE_API_KEY\""
	}
	var acts []Fact
	if m.Job.Status == relay.ReplayPlanned {
		acts = append(acts, Fact{Name: "Start this plan", Value: "reprise replay start " + id}, Fact{Value: api("/" + id + "/start")})
	} else {
		acts = append(acts, Fact{Name: "Watch it", Value: "reprise replay status " + id})
	}
	if m.Job.Status == relay.ReplayRunning {
		acts = append(acts, Fact{Name: "Pause it", Value: api("/" + id + "/pause")})
	}
	if m.Job.Progress.Failed > 0 {
		acts = append(acts, Fact{Name: "What failed", Value: "reprise replay failed " + id})
	}
	if m.NoAgain {
		return acts
	}
	body := m.Again.body()
	text, err := json.Marshal(body)
	if err != nil { // strings and numbers always marshal
		panic(err)
	}
	name := "Plan the same again"
	if body.ReplayID == "" && body.NewestOnly == nil { // which the command line has no words for
		acts, name = append(acts, Fact{Name: name, Value: m.Again.command()}), ""
	}
	return append(acts, Fact{Name: name, Value: api("") + " \\\n  -H 'Content-Type: application/json' \\\n  -d " + shellQuote(string(text))})
}

// command is the plan of a form by the command line.
func (f ReplayForm) command() string {
	b := f.body()
	words := []string{"reprise replay plan"}
	flag := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				words = append(words, "--"+name+" "+shellQuote(v))
			}
		}
	}
	number := func(name string, n int) {
		if n > 0 {
			flag(name, strconv.Itoa(n))
		}
	}
	flag("endpoint", b.EndpointIDs...)
	flag("source", b.SourceID)
	flag("from", b.From)
	flag("to", b.To)
	flag("type", b.EventTypes...)
	flag("status", b.Status)
	flag("query", b.Q)
	flag("delivery-status", b.DeliveryStatus)
	flag("delivery-endpoint", b.DeliveryEndpointID)
	flag("cause", b.Cause)
	number("rate", b.RateLimit)
	number("max", b.MaxEvents)
	number("canary", b.Canary)
	if b.IgnoreFilter {
		words = append(words, "--ignore-filter")
	}
	if b.SkipDelivered {
		words = append(words, "--skip-delivered")
	}
	flag("note", b.Note)
	return strings.Join(words, " ")
}

// planCurl plans a replay of an hour, for the empty list.
func planCurl(publicURL string) string {
	return "curl " + shellQuote(publicURL+"/api/v1/replays") + " \\\n  -H \"Authorization: Bearer $REPRISE_API_KEY\" \\\n  -H 'Content-Type: application/json' \\\n" +
		`  -d '{"from":"2026-01-02T14:00:00Z","to":"2026-01-02T15:00:00Z","skip_delivered":true,"dry_run":true}'`
}

// ReplayNewURL is the form of a new replay, filled in.
func ReplayNewURL(f ReplayForm) string { return listURL("/replays/new", f.Values()) }
