package views

import (
	"net/http"
	"strconv"
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
	Brake              *int     `json:"brake,omitempty"`
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
	if brake, err := strconv.Atoi(f.Brake); err == nil && brake != relay.DefaultReplayBrake {
		b.Brake = &brake
	}
	if f.Of == ReplayOfDeliveries {
		b.DeliveryStatus, b.DeliveryEndpointID, b.Cause, b.ReplayID = f.DeliveryStatus, f.DeliveryEndpointID, f.Cause, f.ReplayID
		b.Status, b.Q = "", ""
		// The API leaves those out that were replayed since, but for those of a job.
		newest := f.DeliveryStatus == ReplayDead
		if f.DeliveryStatus == string(relay.DeliveryDLQ) && f.ReplayID == "" || newest && f.ReplayID != "" {
			b.NewestOnly = &newest
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

// everything reports whether a form has no condition at all.
func (f ReplayForm) everything() bool {
	return f.Of != ReplayOfDeliveries && f.SourceID+f.From+f.To+f.EventTypes+f.Status+f.Q == ""
}

// replayCommands do by the command line and the API what the page of a job
// does.
func replayCommands(m ReplayModel) []command {
	id := relay.PrefixReplay.Format(m.Job.ID)
	act := func(name, act string) command {
		return command{name, []string{reprise("replay", act, id), m.apiCurl(http.MethodPost, "/replays/"+id+"/"+act, nil)}}
	}
	var all []command
	switch m.Job.Status {
	case relay.ReplayPlanned:
		all = append(all, act("Start this plan", "start"))
	case relay.ReplayRunning:
		all = append(all, act("Pause it", "pause"))
	case relay.ReplayPaused:
		all = append(all, act("Resume it", "resume"))
	}
	if m.Job.Status == relay.ReplayPlanning {
		all = append(all, act("Cancel it", "cancel"))
	}
	if m.Job.Status == relay.ReplayRunning || m.Job.Status == relay.ReplayPaused {
		all = append(all, command{"Change the rate", []string{
			reprise("replay", "rate", id, "--rate", strconv.Itoa(m.Job.RateLimit)),
			m.apiCurl(http.MethodPatch, "/replays/"+id, map[string]int{"rate_limit": m.Job.RateLimit}),
		}}, act("Cancel it", "cancel"))
	}
	if m.Job.Status != relay.ReplayPlanned {
		all = append(all, command{"Watch it", []string{reprise("replay", "status", id, "--follow"), m.apiCurl(http.MethodGet, "/replays/"+id, nil)}})
	}
	if m.Job.Progress.Failed > 0 {
		all = append(all, command{"What failed", []string{reprise("replay", "failed", id), m.apiCurl(http.MethodGet, "/replays/"+id+"/failures", nil)}},
			command{"Replay what failed", []string{reprise("replay", "failed", id, "--replay"), m.apiCurl(http.MethodPost, "/replays/"+id+"/replay-failed", nil)}})
	}
	if m.NoAgain {
		return all
	}
	return append(all, m.plan("Plan the same again", m.Again))
}

// command is the replay of a form by the command line: its plan, or its start.
func (f ReplayForm) command(act string) string {
	b := f.body()
	words := []string{"replay", act}
	flag := func(name string, values ...string) {
		for _, v := range values {
			if v != "" {
				words = append(words, "--"+name, v)
			}
		}
	}
	number := func(name string, n int) {
		if n > 0 {
			flag(name, strconv.Itoa(n))
		}
	}
	set := func(name string, on bool) {
		if on {
			words = append(words, "--"+name)
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
	if b.NewestOnly != nil {
		words = append(words, "--newest-only="+strconv.FormatBool(*b.NewestOnly))
	}
	flag("delivery-endpoint", b.DeliveryEndpointID)
	flag("cause", b.Cause)
	flag("replay", b.ReplayID)
	number("rate", b.RateLimit)
	number("max", b.MaxEvents)
	number("canary", b.Canary)
	if b.Brake != nil {
		flag("brake", strconv.Itoa(*b.Brake))
	}
	set("ignore-filter", b.IgnoreFilter)
	set("skip-delivered", b.SkipDelivered)
	flag("note", b.Note)
	return reprise(words...)
}

// replaysCommands plan a replay of an hour and list what there is.
func replaysCommands(m ReplaysModel) []command {
	hour := ReplayForm{
		From: m.Now.UTC().Truncate(time.Hour).Add(-time.Hour).Format(time.RFC3339), To: m.Now.UTC().Truncate(time.Hour).Format(time.RFC3339), SkipDelivered: true,
	}
	return []command{
		m.plan("Plan one", hour),
		{"List them", []string{reprise("replay", "status"), m.apiCurl(http.MethodGet, "/replays", nil)}},
	}
}

// ReplayNewURL is the form of a new replay, filled in.
func ReplayNewURL(f ReplayForm) string { return listURL("/replays/new", f.Values()) }
