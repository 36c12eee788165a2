package views

import (
	"net/url"
	"strings"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// chip is one filter above a list.
type chip struct {
	Label  string
	Name   string // query parameter
	Value  string // as it stands in the URL
	Path   string
	Filter url.Values // of the whole list
	Hint   string
}

func (c chip) clearURL() string { return listURL(c.Path, without(c.Filter, c.Name)) }

// word is the value as the options call it.
func (c chip) word(options []Option) string {
	for _, o := range options {
		if o.Value == c.Value {
			return o.Label
		}
	}
	return c.Value
}

var eventStatusOptions = []Option{
	{string(relay.EventForwarding), "forwarding"}, {string(relay.EventDelivered), "delivered"},
	{string(relay.EventFailed), "failed"}, {string(relay.EventUnmatched), "unmatched"},
	{string(relay.EventRejected), "rejected"}, {string(relay.EventDuplicate), "duplicate"},
	{string(relay.EventReceived), "received"},
}

var signatureOptions = []Option{{"true", "valid or not checked"}, {"false", "not valid"}}

var deliveryStatusOptions = []Option{
	{string(relay.DeliveryPending), "waiting"}, {string(relay.DeliveryRetrying), "retrying"},
	{string(relay.DeliveryDelivered), "delivered"}, {string(relay.DeliveryDLQ), "dead letter"},
	{string(relay.DeliveryDiscarded), "discarded"},
}

func sourceOptions(sources []SourceRef) []Option {
	options := make([]Option, len(sources))
	for i, s := range sources {
		options[i] = Option{relay.PrefixSource.Format(s.ID), s.Name}
	}
	return options
}

func endpointOptions(endpoints []EndpointRef) []Option {
	options := make([]Option, len(endpoints))
	for i, e := range endpoints {
		options[i] = Option{relay.PrefixEndpoint.Format(e.ID), e.Name}
	}
	return options
}

func plainOptions(values []string) []Option {
	options := make([]Option, len(values))
	for i, v := range values {
		options[i] = Option{v, v}
	}
	return options
}

func liveURL(m LiveModel) string {
	v := without(m.Filter)
	v.Set("since", m.Since)
	return listURL(m.Path, v)
}

// span of time that one click chooses.
type recent struct {
	Word string
	Back time.Duration
}

var recents = []recent{
	{"Last hour", time.Hour}, {"Last 24 hours", 24 * time.Hour},
	{"Last 7 days", 7 * 24 * time.Hour}, {"Last 30 days", 30 * 24 * time.Hour},
}

func recentURL(now time.Time, r recent, path string, filter url.Values) string {
	v := without(filter, "to")
	v.Set("from", now.Add(-r.Back).UTC().Truncate(time.Minute).Format(time.RFC3339))
	return listURL(path, v)
}

func readTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// localField is a time as a datetime-local field wants it.
func localField(s string) string {
	t, ok := readTime(s)
	if !ok {
		return ""
	}
	return t.Format("2006-01-02T15:04")
}

func timeWord(from, to string) string {
	word := func(s string) string {
		if t, ok := readTime(s); ok {
			return t.Format("2 Jan 15:04")
		}
		return s
	}
	switch {
	case from == "":
		return "until " + word(to)
	case to == "":
		return "since " + word(from)
	}
	return word(from) + " – " + word(to)
}

// sampleCurl posts a small event to an ingest URL.
func sampleCurl(ingestURL string) string {
	return "curl -X POST " + shellQuote(ingestURL) + " \\\n  -H 'Content-Type: application/json' \\\n" +
		"  -d '{\"type\":\"hello.world\",\"data\":{\"greeting\":\"hello\"}}'"
}

func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/._-@%+=,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
