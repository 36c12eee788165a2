package relay

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

const (
	maxSources  = 100
	maxSecrets  = 10
	maxInFlight = 1000
	maxEmail    = 254
)

// Validate checks the settings of an endpoint. The policy says which addresses
// its URLs may name.
func (e *Endpoint) Validate(allow EgressPolicy) error {
	var f fields
	f.line("name", e.Name, 1, maxName)
	if _, problem := allow.CheckURL(e.URL); problem != "" {
		f.add("url", "%s", problem)
	}
	f.text("description", e.Description, maxDescription)
	if len(e.SourceIDs) > maxSources {
		f.add("source_ids", "must have at most %d entries", maxSources)
	}
	e.validateFilter(&f)
	switch e.Status {
	case EndpointActive, EndpointPaused, EndpointDisabled:
	default:
		f.add("status", "must be active, paused or disabled")
	}
	if len(e.Secrets) > maxSecrets {
		f.add("secrets", "must have at most %d entries", maxSecrets)
	}
	for i := range e.Secrets {
		if err := CheckSecret(e.Secrets[i].Value); err != nil {
			f.add("secret", "must be whsec_ followed by the base64 of 24 to 64 bytes")
			break
		}
	}
	e.Retry.validate(&f)
	f.seconds("http_timeout", e.HTTPTimeout, time.Second, time.Minute)
	f.between("rate_limit", e.RateLimit, 0, maxRate)
	if e.RateLimit > 0 {
		f.seconds("rate_limit_duration", e.RateLimitDuration, time.Second, day)
	} else if e.RateLimitDuration < 0 {
		f.add("rate_limit_duration", "must not be negative")
	}
	f.between("max_in_flight", e.MaxInFlight, 0, maxInFlight)
	e.Authentication.validate(&f)
	e.validateHeaders(&f)
	if e.SupportEmail != "" && !IsEmail(e.SupportEmail) {
		f.add("support_email", "must be an e-mail address")
	}
	if e.SlackWebhookURL != "" {
		if _, problem := allow.CheckURL(e.SlackWebhookURL); problem != "" {
			f.add("slack_webhook_url", "%s", problem)
		}
	}
	return Invalid(f...)
}

func (e *Endpoint) validateFilter(f *fields) {
	if len(e.EventFilter) > maxFilter {
		f.add("event_filter", "must have at most %d entries", maxFilter)
		return
	}
	for i, pattern := range e.EventFilter {
		if problem := checkPattern(pattern); problem != "" {
			f.add(fmt.Sprintf("event_filter[%d]", i), "%s", problem)
		}
	}
}

func checkPattern(pattern string) string {
	switch {
	case pattern == "" || len(pattern) > maxKey || !isPlain(pattern) || strings.TrimSpace(pattern) != pattern:
		return "must be an event type of 1 to 255 bytes without spaces around it"
	case strings.Contains(pattern[:len(pattern)-1], "*"):
		return "may have * only at its end, as in invoice.*"
	}
	return ""
}

func (a *Authentication) validate(f *fields) {
	switch a.Type {
	case "", AuthNone:
	case AuthAPIKey:
		a.APIKey.validate(f, "authentication.api_key")
		if a.APIKey != nil {
			checkOwnHeader(f, "authentication.api_key.header_name", a.APIKey.HeaderName)
		}
	case AuthBasic:
		a.BasicAuth.validate(f, "authentication.basic_auth")
	case AuthBearer:
		if a.Bearer == nil {
			f.add("authentication.bearer", "must be given with type bearer: token")
			return
		}
		f.secret("authentication.bearer.token", a.Bearer.Token)
	default:
		f.add("authentication.type", "must be none, api_key, basic_auth or bearer")
	}
}

func (e *Endpoint) validateHeaders(f *fields) {
	if len(e.Headers) > maxHeaders {
		f.add("headers", "must have at most %d entries", maxHeaders)
		return
	}
	for _, h := range e.Headers {
		field := "headers." + h.Name
		if !isToken(h.Name) || len(h.Name) > maxHeaderName {
			f.add("headers", "must have names of letters, digits and dashes, such as X-Team")
			continue
		}
		checkOwnHeader(f, field, h.Name)
		if !isFieldValue(h.Value) || len(h.Value) > maxHeaderValue {
			f.add(field, "must have at most %d bytes and no control characters or line breaks", maxHeaderValue)
		}
	}
}

// checkOwnHeader refuses the names that only the product itself may set.
func checkOwnHeader(f *fields, field, name string) {
	switch ruleOf(name) {
	case never:
		f.add(field, "must not be a header of the connection, such as Host or Content-Length")
	case ours:
		f.add(field, "must not be a header that Reprise sets itself (webhook-… and X-Reprise-…)")
	}
}

// IsEmail reports whether s looks like a plain e-mail address: one that the
// product can show and send to, not all that RFC 5322 would take.
func IsEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(s) > maxEmail || strings.Trim(local, emailBytes) != "" {
		return false
	}
	if _, err := netip.ParseAddr(domain); err == nil {
		return false
	}
	for label := range strings.SplitSeq(strings.ToLower(domain), ".") {
		if !isHostLabel(label) {
			return false
		}
	}
	return true
}

const emailBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+/=?^_`{|}~-"
