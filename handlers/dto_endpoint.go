package handlers

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// endpointIn is an endpoint in a request: to create one, or the part to
// change. Durations are numbers of seconds.
type endpointIn struct {
	Name              opt[string]            `json:"name"`
	URL               opt[string]            `json:"url"`
	Description       opt[string]            `json:"description"`
	SourceIDs         opt[[]string]          `json:"source_ids"`
	EventFilter       opt[[]string]          `json:"event_filter"`
	Status            opt[string]            `json:"status"`
	Secret            opt[string]            `json:"secret"`        // on creation only
	BackfillDays      opt[int]               `json:"backfill_days"` // on creation only
	Retry             opt[retryIn]           `json:"retry"`
	HTTPTimeout       opt[float64]           `json:"http_timeout"`
	RateLimit         opt[int]               `json:"rate_limit"`
	RateLimitDuration opt[float64]           `json:"rate_limit_duration"`
	MaxInFlight       opt[int]               `json:"max_in_flight"`
	Authentication    opt[authenticationIn]  `json:"authentication"`
	Headers           opt[map[string]string] `json:"headers"`
	SupportEmail      opt[string]            `json:"support_email"`
	SlackWebhookURL   opt[string]            `json:"slack_webhook_url"` // what an answer showed masked changes nothing
}

type retryIn struct {
	MaxRetries   opt[int]     `json:"max_retries"`
	InitialDelay opt[float64] `json:"initial_delay"`
	Factor       opt[float64] `json:"factor"`
	MaxDelay     opt[float64] `json:"max_delay"`
}

// authenticationIn takes the settings of its type in an object of their own
// or beside the type, as verifierIn does.
type authenticationIn struct {
	Type      opt[string]   `json:"type"`
	APIKey    opt[apiKeyIn] `json:"api_key"`
	BasicAuth opt[basicIn]  `json:"basic_auth"`
	Bearer    opt[bearerIn] `json:"bearer"`

	HeaderName  opt[string]    `json:"header_name"`
	HeaderValue opt[secretVal] `json:"header_value"`
	Username    opt[string]    `json:"username"`
	Password    opt[secretVal] `json:"password"`
	Token       opt[secretVal] `json:"token"`
}

type bearerIn struct {
	Token opt[secretVal] `json:"token"`
}

// duration takes over a number of seconds. One that no duration can hold
// becomes the longest, which validation refuses.
func duration(in opt[float64], target *time.Duration, byDefault time.Duration) {
	switch {
	case in.Null:
		*target = byDefault
	case in.Given && math.Abs(in.Value) < float64(math.MaxInt64/int64(time.Second)):
		*target = time.Duration(math.Round(in.Value * float64(time.Second)))
	case in.Given:
		*target = math.MaxInt64
	}
}

// apply writes what is given over an endpoint, and tells what is wrong with
// the outcome.
func (in *endpointIn) apply(e *relay.Endpoint, egress relay.EgressPolicy) error {
	in.Name.change(&e.Name, "")
	in.URL.change(&e.URL, "")
	in.Description.change(&e.Description, "")
	if err := in.applySources(e); err != nil {
		return err
	}
	in.EventFilter.change(&e.EventFilter, nil)
	if in.Status.Given {
		status := string(relay.EndpointActive)
		in.Status.change(&status, status)
		if relay.EndpointStatus(status) != e.Status {
			e.Status, e.PauseReason = relay.EndpointStatus(status), ""
		}
	}
	in.applyRetry(&e.Retry)
	duration(in.HTTPTimeout, &e.HTTPTimeout, defaultHTTPTimeout)
	in.RateLimit.change(&e.RateLimit, 0)
	duration(in.RateLimitDuration, &e.RateLimitDuration, 0)
	switch {
	case e.RateLimit == 0 && !in.RateLimitDuration.has():
		e.RateLimitDuration = 0
	case e.RateLimit > 0 && e.RateLimitDuration == 0 && !in.RateLimitDuration.has():
		e.RateLimitDuration = defaultRateDuration
	}
	in.MaxInFlight.change(&e.MaxInFlight, 0)
	in.applyAuthentication(&e.Authentication)
	in.applyHeaders(e)
	in.SupportEmail.change(&e.SupportEmail, "")
	if in.SlackWebhookURL.Value == "" || in.SlackWebhookURL.Value != relay.MaskURL(e.SlackWebhookURL) {
		in.SlackWebhookURL.change(&e.SlackWebhookURL, "")
	}
	e.URL, e.SlackWebhookURL = relay.TidyURL(e.URL), relay.TidyURL(e.SlackWebhookURL)
	return e.Validate(egress)
}

func (in *endpointIn) applySources(e *relay.Endpoint) error {
	if !in.SourceIDs.Given {
		return nil
	}
	ids, err := idsOf("source_ids", relay.PrefixSource, in.SourceIDs.Value)
	e.SourceIDs = ids
	return err
}

// idsOf reads a list of ids; what is in it twice counts once.
func idsOf(field string, prefix relay.Prefix, list []string) ([]relay.ID, error) {
	var ids []relay.ID
	for _, s := range list {
		id, err := relay.ParseID(prefix, s)
		if err != nil {
			return nil, withField(err, field)
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (in *endpointIn) applyRetry(p *relay.RetryPolicy) {
	byDefault := relay.DefaultRetryPolicy()
	if in.Retry.Null {
		*p = byDefault
	}
	given := &in.Retry.Value
	given.MaxRetries.change(&p.MaxRetries, byDefault.MaxRetries)
	duration(given.InitialDelay, &p.InitialDelay, byDefault.InitialDelay)
	given.Factor.change(&p.Factor, byDefault.Factor)
	duration(given.MaxDelay, &p.MaxDelay, byDefault.MaxDelay)
	if given.InitialDelay.has() && !given.MaxDelay.Given && p.MaxDelay < p.InitialDelay {
		p.MaxDelay = p.InitialDelay
	}
}

func (in *endpointIn) applyAuthentication(auth *relay.Authentication) {
	if in.Authentication.Null {
		*auth = relay.Authentication{Type: relay.AuthNone}
	}
	if !in.Authentication.has() {
		return
	}
	given := &in.Authentication.Value
	kind := auth.Type
	given.Type.change(&kind, relay.AuthNone)
	if kind != auth.Type {
		*auth = relay.Authentication{Type: kind}
	}
	switch kind {
	case relay.AuthAPIKey:
		key := relay.APIKeyVerifier{}
		if auth.APIKey != nil {
			key = *auth.APIKey
		}
		given.APIKey.Value.apply(&key)
		(&apiKeyIn{given.HeaderName, given.HeaderValue}).apply(&key)
		auth.APIKey = &key
	case relay.AuthBasic:
		basic := relay.BasicAuthVerifier{}
		if auth.BasicAuth != nil {
			basic = *auth.BasicAuth
		}
		given.BasicAuth.Value.apply(&basic)
		(&basicIn{given.Username, given.Password}).apply(&basic)
		auth.BasicAuth = &basic
	case relay.AuthBearer:
		bearer := relay.BearerAuth{}
		if auth.Bearer != nil {
			bearer = *auth.Bearer
		}
		changeSecret(given.Bearer.Value.Token, &bearer.Token)
		changeSecret(given.Token, &bearer.Token)
		auth.Bearer = &bearer
	}
}

// applyHeaders replaces the headers. A value that an answer showed masked
// means the one that it stands for.
func (in *endpointIn) applyHeaders(e *relay.Endpoint) {
	if !in.Headers.Given {
		return
	}
	masked := relay.RedactHeaders(e.Headers)
	var headers relay.Headers
	for _, name := range slices.Sorted(maps.Keys(in.Headers.Value)) {
		value := in.Headers.Value[name]
		if old := e.Headers.Get(name); old != "" && value == masked.Get(name) {
			value = old
		}
		headers = append(headers, relay.Header{Name: name, Value: value})
	}
	e.Headers = headers
}

type endpointOut struct {
	ID                string               `json:"id"`
	ProjectID         string               `json:"project_id"`
	Name              string               `json:"name"`
	URL               string               `json:"url"`
	Description       string               `json:"description"`
	SourceIDs         []string             `json:"source_ids"`
	EventFilter       []string             `json:"event_filter"`
	Status            relay.EndpointStatus `json:"status"`
	PauseReason       *string              `json:"pause_reason"`
	Secret            string               `json:"secret,omitempty"` // only when it was just made
	Secrets           []secretOut          `json:"secrets"`
	Retry             retryOut             `json:"retry"`
	HTTPTimeout       float64              `json:"http_timeout"`
	RateLimit         int                  `json:"rate_limit"`
	RateLimitDuration float64              `json:"rate_limit_duration"`
	MaxInFlight       int                  `json:"max_in_flight"`
	Authentication    relay.Authentication `json:"authentication"`
	Headers           map[string]string    `json:"headers"`
	SupportEmail      *string              `json:"support_email"`
	SlackWebhookURL   *string              `json:"slack_webhook_url"`
	CreatedAt         *string              `json:"created_at"`
	UpdatedAt         *string              `json:"updated_at"`
	Backfill          *backfillOut         `json:"backfill,omitempty"` // only when it was just asked for
}

// backfillOut is the job that sends a new endpoint what came in before it.
type backfillOut struct {
	ReplayID *string `json:"replay_id"`
	Error    *string `json:"error"`
}

type secretOut struct {
	Value     string  `json:"value"` // masked
	CreatedAt *string `json:"created_at"`
	ExpiresAt *string `json:"expires_at"`
}

type retryOut struct {
	MaxRetries   int     `json:"max_retries"`
	InitialDelay float64 `json:"initial_delay"`
	Factor       float64 `json:"factor"`
	MaxDelay     float64 `json:"max_delay"`
}

func endpointShape(e *relay.Endpoint) endpointOut {
	out := endpointOut{
		ID: relay.PrefixEndpoint.Format(e.ID), ProjectID: relay.PrefixProject.Format(e.ProjectID), Name: e.Name, URL: e.URL,
		Description: e.Description, SourceIDs: []string{}, EventFilter: listOrEmpty(e.EventFilter), Status: e.Status,
		PauseReason: textOrNull(e.PauseReason), Secrets: []secretOut{},
		Retry:       retryOut{e.Retry.MaxRetries, seconds(e.Retry.InitialDelay), e.Retry.Factor, seconds(e.Retry.MaxDelay)},
		HTTPTimeout: seconds(e.HTTPTimeout), RateLimit: e.RateLimit, RateLimitDuration: seconds(e.RateLimitDuration),
		MaxInFlight: e.MaxInFlight, Authentication: maskedAuthentication(e.Authentication),
		Headers: map[string]string{}, SupportEmail: textOrNull(e.SupportEmail),
		SlackWebhookURL: textOrNull(relay.MaskURL(e.SlackWebhookURL)), CreatedAt: timeOrNull(e.CreatedAt), UpdatedAt: timeOrNull(e.UpdatedAt),
	}
	for _, h := range relay.RedactHeaders(e.Headers) {
		out.Headers[h.Name] = h.Value
	}
	for _, id := range e.SourceIDs {
		out.SourceIDs = append(out.SourceIDs, relay.PrefixSource.Format(id))
	}
	for _, s := range e.Secrets {
		out.Secrets = append(out.Secrets, secretOut{relay.MaskSecret(s.Value), timeOrNull(s.CreatedAt), timeOrNull(s.ExpiresAt)})
	}
	return out
}

func maskedAuthentication(auth relay.Authentication) relay.Authentication {
	out := relay.Authentication{Type: auth.Type, APIKey: maskedAPIKey(auth.APIKey), BasicAuth: maskedBasic(auth.BasicAuth)}
	if out.Type == "" {
		out.Type = relay.AuthNone
	}
	if auth.Bearer != nil {
		out.Bearer = &relay.BearerAuth{Token: relay.MaskSecret(auth.Bearer.Token)}
	}
	return out
}
