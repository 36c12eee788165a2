package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// selection is what the flags of a replay say.
type selection struct {
	endpoints, types, events, deliveries    []string
	source, from, to, status, query         string
	deliveryStatus, deliveryEndpoint, cause string
	replay, note                            string
	rate, most, canary, brake               int
	newestOnly, ignoreFilter, skipDelivered bool
}

// fieldOf is which field of the API a flag sets.
var fieldOf = map[string]string{
	"endpoint": "endpoint_ids", "type": "event_types", "event": "event_ids", "source": "source_id", "from": "from", "to": "to",
	"status": "status", "query": "q", "delivery-id": "delivery_ids", "delivery-status": "delivery_status",
	"delivery-endpoint": "delivery_endpoint_id", "newest-only": "newest_only", "cause": "cause", "replay": "replay_id", "note": "note",
	"rate": "rate_limit", "max": "max_events", "canary": "canary", "brake": "brake", "ignore-filter": "ignore_filter", "skip-delivered": "skip_delivered",
}

// flagOf is what the command line calls a field of the API.
func flagOf(field string) string {
	name, _, _ := strings.Cut(field, "[")
	for flag, of := range fieldOf {
		if of == name {
			return "--" + flag
		}
	}
	switch name {
	case "endpoint_id":
		return "--endpoint"
	case "source_ids":
		return "--source"
	case "event_filter":
		return "--type"
	case "backfill_days":
		return "--backfill-days"
	case "event", "reason", "name", "url":
		return "--" + name
	}
	return field
}

func (s *selection) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&s.endpoints, "endpoint", nil, "id of an endpoint to send to; may be repeated (default: every endpoint that wants the event now)")
	f.StringVar(&s.source, "source", "", "only events of this source")
	f.StringVar(&s.from, "from", "", "received from this time on: 2026-03-01T00:00:00Z, or how long ago, such as 90m or 7d")
	f.StringVar(&s.to, "to", "", "received before this time")
	f.StringSliceVar(&s.types, "type", nil, "only events of this type or pattern, such as invoice.*; may be repeated")
	f.StringVar(&s.status, "status", "", "only events with this status")
	f.StringVar(&s.query, "query", "", "only events that this search finds")
	f.StringSliceVar(&s.events, "event", nil, "id of an event to send; may be repeated")
	f.StringSliceVar(&s.deliveries, "delivery-id", nil, "id of a delivery to send again; may be repeated")
	f.StringVar(&s.deliveryStatus, "delivery-status", "", "deliveries with this status, each to its own endpoint: failed for dead letters")
	f.StringVar(&s.deliveryEndpoint, "delivery-endpoint", "", "only deliveries to this endpoint")
	f.BoolVar(&s.newestOnly, "newest-only", false, "leave out deliveries that were replayed since (default for dead letters)")
	f.StringVar(&s.cause, "cause", "", "only dead letters of this `cause`, as 'reprise dead-letters' calls it")
	f.StringVar(&s.replay, "replay", "", "only deliveries that this replay job made")
	f.IntVar(&s.rate, "rate", 0, "deliveries a second at most")
	f.IntVar(&s.most, "max", 0, "this many events at most")
	f.BoolVar(&s.ignoreFilter, "ignore-filter", false, "send also what the endpoints' filters leave out")
	f.BoolVar(&s.skipDelivered, "skip-delivered", false, "leave out what an endpoint has already got")
	f.IntVar(&s.canary, "canary", 0, "send this many first, then wait until the job is resumed")
	f.IntVar(&s.brake, "brake", 0, "pause when over this many per cent of the last 50 deliveries failed; 0 never does (default 50)")
	f.StringVar(&s.note, "note", "", "why this is done, for the record")
}

// given reports whether any of the flags was used.
func (s *selection) given(f *pflag.FlagSet) bool {
	used := false
	f.Visit(func(flag *pflag.Flag) { used = used || fieldOf[flag.Name] != "" })
	return used
}

// body is the request that the flags make. What was not given is left out.
func (s *selection) body(f *pflag.FlagSet, dryRun bool) (map[string]any, error) {
	var err error
	now := time.Now()
	if s.from, err = timeFlag("from", s.from, now); err != nil {
		return nil, err
	}
	if s.to, err = timeFlag("to", s.to, now); err != nil {
		return nil, err
	}
	values := map[string]any{
		"endpoint": s.endpoints, "type": s.types, "event": s.events, "source": s.source, "from": s.from, "to": s.to, "status": s.status,
		"query": s.query, "delivery-id": s.deliveries, "delivery-status": s.deliveryStatus, "delivery-endpoint": s.deliveryEndpoint, "newest-only": s.newestOnly,
		"cause": s.cause, "replay": s.replay, "note": s.note, "rate": s.rate, "max": s.most, "canary": s.canary, "brake": s.brake, "ignore-filter": s.ignoreFilter, "skip-delivered": s.skipDelivered,
	}
	body := map[string]any{"dry_run": dryRun}
	f.Visit(func(flag *pflag.Flag) {
		if name := fieldOf[flag.Name]; name != "" {
			body[name] = values[flag.Name]
		}
	})
	return body, nil
}

// timeFlag turns how long ago something was into a time.
func timeFlag(name, s string, now time.Time) (string, error) {
	if s == "" || strings.Contains(s, "T") {
		return s, nil
	}
	ago, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok && err != nil {
		var n int
		if n, err = strconv.Atoi(days); err == nil {
			ago = time.Duration(n) * 24 * time.Hour
		}
	}
	if err != nil || ago < 0 {
		return "", fmt.Errorf("--%s must be a time such as 2026-03-01T00:00:00Z, or how long ago, such as 90m or 7d", name)
	}
	return now.Add(-ago).UTC().Format(time.RFC3339), nil
}
