package handlers

import (
	"strings"
	"time"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

const (
	defaultHTTPTimeout  = 15 * time.Second
	defaultRateDuration = time.Minute
)

// applyEndpoint writes what the form says into an endpoint, new or existing,
// and tells what is wrong with the outcome.
func (f *form) applyEndpoint(e *relay.Endpoint, egress relay.EgressPolicy) error {
	f.faults = nil
	e.Name, e.URL = f.text("name"), relay.TidyURL(f.raw("url"))
	e.Description = strings.TrimSpace(f.block("description"))
	e.EventFilter = views.SplitList(f.raw("event_filter"))
	sources, err := f.ids("source_ids", relay.PrefixSource)
	if err != nil {
		f.faults.add("source_ids", "must be sources of this project")
	}
	e.SourceIDs = sources
	policy := relay.DefaultRetryPolicy()
	e.Retry = relay.RetryPolicy{
		MaxRetries:   f.number("retry_max_retries", "retry.max_retries", policy.MaxRetries),
		InitialDelay: f.seconds("retry_initial_delay", "retry.initial_delay", policy.InitialDelay),
		Factor:       f.decimal("retry_factor", "retry.factor", policy.Factor),
		MaxDelay:     f.seconds("retry_max_delay", "retry.max_delay", policy.MaxDelay),
	}
	e.HTTPTimeout = f.seconds("http_timeout", "http_timeout", defaultHTTPTimeout)
	e.MaxInFlight = f.number("max_in_flight", "max_in_flight", 0)
	if e.RateLimit = f.number("rate_limit", "rate_limit", 0); e.RateLimit != 0 {
		e.RateLimitDuration = f.seconds("rate_limit_duration", "rate_limit_duration", defaultRateDuration)
	} else {
		e.RateLimitDuration = 0
	}
	f.applyAuthentication(e)
	f.applyHeaders(e)
	e.SupportEmail = f.text("support_email")
	if slack := relay.TidyURL(f.raw("slack_webhook_url")); slack != relay.MaskURL(e.SlackWebhookURL) {
		e.SlackWebhookURL = slack
	}
	return f.check(e.Validate(egress))
}

func (f *form) applyAuthentication(e *relay.Endpoint) {
	old, auth := e.Authentication, relay.Authentication{Type: f.text("authentication_type")}
	switch auth.Type {
	case "":
		auth.Type = relay.AuthNone
	case relay.AuthAPIKey:
		auth.APIKey = f.apiKey(old.APIKey)
	case relay.AuthBasic:
		auth.BasicAuth = f.basicAuth(old.BasicAuth)
	case relay.AuthBearer:
		auth.Bearer = &relay.BearerAuth{Token: f.text("bearer_token")}
		if auth.Bearer.Token == "" && old.Bearer != nil {
			auth.Bearer.Token = old.Bearer.Token
		}
	}
	e.Authentication = auth
}

// applyHeaders reads one header a line. A value that still stands as
// headerLines masked it stays what it was.
func (f *form) applyHeaders(e *relay.Endpoint) {
	masked := relay.RedactHeaders(e.Headers)
	var headers relay.Headers
	for line := range strings.SplitSeq(f.block("headers"), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			f.faults.add("headers", `must have one "Name: value" a line`)
			continue
		}
		h := relay.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)}
		for i, was := range e.Headers {
			if was.Name == h.Name && masked[i].Value == h.Value {
				h = was
				break
			}
		}
		headers = append(headers, h)
	}
	e.Headers = headers
}

func headerLines(headers relay.Headers) string {
	var b strings.Builder
	for _, h := range relay.RedactHeaders(headers) {
		b.WriteString(h.Name + ": " + h.Value + "\n")
	}
	return b.String()
}

// typedEndpoint is the form as the person left it, to be shown again.
func (f *form) typedEndpoint(id relay.ID, authSet bool, err error) views.EndpointForm {
	return views.EndpointForm{
		ID: id, Name: f.raw("name"), URL: f.raw("url"), Description: f.block("description"),
		SourceIDs: f.values["source_ids"], EventFilter: f.block("event_filter"), Secret: f.raw("secret"),
		BackfillDays:    f.raw("backfill_days"),
		RetryMaxRetries: f.raw("retry_max_retries"), RetryInitialDelay: f.raw("retry_initial_delay"),
		RetryFactor: f.raw("retry_factor"), RetryMaxDelay: f.raw("retry_max_delay"),
		HTTPTimeout: f.raw("http_timeout"), RateLimit: f.raw("rate_limit"),
		RateLimitDuration: f.raw("rate_limit_duration"), MaxInFlight: f.raw("max_in_flight"),
		AuthType: f.raw("authentication_type"), APIKeyHeaderName: f.raw("api_key_header_name"),
		APIKeyHeaderValue: f.raw("api_key_header_value"), BasicAuthUsername: f.raw("basic_auth_username"),
		BasicAuthPassword: f.raw("basic_auth_password"), BearerToken: f.raw("bearer_token"), AuthSet: authSet,
		Headers: f.block("headers"), SupportEmail: f.raw("support_email"), SlackWebhookURL: f.raw("slack_webhook_url"),
		IsDisabled: f.disabled(), Errors: formErrors(err),
	}
}

// endpointForm shows the settings of an endpoint, but for its secrets.
func endpointForm(e *relay.Endpoint) views.EndpointForm {
	form := views.EndpointForm{
		ID: e.ID, Name: e.Name, URL: e.URL, Description: e.Description, EventFilter: strings.Join(e.EventFilter, "\n"),
		RetryMaxRetries: formNumber(e.Retry.MaxRetries), RetryInitialDelay: formSeconds(e.Retry.InitialDelay),
		RetryFactor: formDecimal(e.Retry.Factor), RetryMaxDelay: formSeconds(e.Retry.MaxDelay),
		RetrySchedule: e.Retry.Schedule(), HTTPTimeout: formSeconds(e.HTTPTimeout),
		RateLimit: blankZero(e.RateLimit), RateLimitDuration: formSeconds(e.RateLimitDuration),
		MaxInFlight: blankZero(e.MaxInFlight), AuthType: e.Authentication.Type, AuthSet: hasCredential(e.Authentication),
		Headers: headerLines(e.Headers), SupportEmail: e.SupportEmail, SlackWebhookURL: relay.MaskURL(e.SlackWebhookURL),
		IsDisabled: e.Status == relay.EndpointDisabled,
	}
	for _, id := range e.SourceIDs {
		form.SourceIDs = append(form.SourceIDs, relay.PrefixSource.Format(id))
	}
	if e.RateLimit == 0 {
		form.RateLimitDuration = formSeconds(defaultRateDuration)
	}
	if a := e.Authentication.APIKey; a != nil {
		form.APIKeyHeaderName = a.HeaderName
	}
	if b := e.Authentication.BasicAuth; b != nil {
		form.BasicAuthUsername = b.Username
	}
	return form
}

func hasCredential(a relay.Authentication) bool {
	return a.APIKey != nil || a.BasicAuth != nil || a.Bearer != nil
}
