package relay

import (
	"fmt"
	"mime"
	"slices"
	"strings"
)

// reservedSlugs are taken by the product's own paths, now or one day.
var reservedSlugs = []string{
	"admin", "api", "api-keys", "app", "assets", "audit-log", "dead-letters", "deliveries", "docs", "endpoints", "events",
	"health", "healthz", "in", "login", "logout", "metrics", "readyz", "replays", "reprise", "settings", "setup",
	"sources", "static", "v1", "www",
}

const (
	maxSlug           = 63
	maxLocations      = 10
	maxCustomResponse = 16 << 10
)

// Validate checks the settings of a source.
func (s *Source) Validate() error {
	var f fields
	f.line("name", s.Name, 1, maxName)
	if problem := checkSlug(s.Slug); problem != "" {
		f.add("slug", "%s", problem)
	}
	switch s.Type {
	case SourceHTTP, SourceRESTAPI:
	default:
		f.add("type", "must be http or rest_api; this version reads no message brokers")
	}
	if s.Provider != "" && findPreset(s.Provider) == nil {
		f.add("provider", "must be empty or one of: %s", presetNames())
	}
	s.Verifier.validate(&f)
	if l := s.EventTypeLocation; l != "" && !isLocation(l) {
		f.add("event_type_location", "must be %s", locationForms)
	}
	if len(s.IdempotencyKeys) > maxLocations {
		f.add("idempotency_keys", "must have at most %d entries", maxLocations)
	}
	for i, l := range s.IdempotencyKeys {
		if !isLocation(l) {
			f.add(fmt.Sprintf("idempotency_keys[%d]", i), "must be %s", locationForms)
		}
	}
	if s.CustomResponse != nil {
		s.CustomResponse.validate(&f)
	}
	if len(s.ForwardHeaders) > maxHeaders {
		f.add("forward_headers", "must have at most %d entries", maxHeaders)
	}
	for i, name := range s.ForwardHeaders {
		f.token(fmt.Sprintf("forward_headers[%d]", i), name)
	}
	f.between("retention_days", s.RetentionDays, 1, 365)
	f.between("rate_limit", s.RateLimit, 0, maxRate)
	return Invalid(f...)
}

func checkSlug(slug string) string {
	if slug == "" || len(slug) > maxSlug || strings.Trim(slug, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "must have 1 to 63 characters out of a-z, 0-9 and -"
	}
	if slug[0] == '-' || slug[len(slug)-1] == '-' {
		return "must not begin or end with -"
	}
	if slices.Contains(reservedSlugs, slug) {
		return "is reserved; choose another one"
	}
	return ""
}

// Slugify makes a valid slug out of a name. A suffix makes it unique.
func Slugify(name string, suffix string) string {
	suffix = plainSlug(suffix)
	if suffix != "" {
		suffix = "-" + suffix[:min(len(suffix), maxSlug/2)]
	}
	slug := plainSlug(name)
	slug = strings.Trim(slug[:min(len(slug), maxSlug-len(suffix))], "-")
	if slug == "" {
		slug = "source"
	}
	slug = strings.TrimRight(slug+suffix, "-")
	if slices.Contains(reservedSlugs, slug) {
		slug += "-source"
	}
	return slug
}

func plainSlug(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := lower(s[i])
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			b = append(b, c)
		case len(b) > 0 && b[len(b)-1] != '-':
			b = append(b, '-')
		}
	}
	return strings.TrimRight(string(b), "-")
}

const locationForms = "a place such as request.header.X-Id, request.body.data.id or request.query.id"

func isLocation(s string) bool {
	if len(s) > maxKey {
		return false
	}
	if name, ok := strings.CutPrefix(s, locationHeader); ok {
		return isToken(name)
	}
	if name, ok := strings.CutPrefix(s, locationQuery); ok {
		return name != "" && isPlain(name)
	}
	path, ok := strings.CutPrefix(s, locationBody)
	return ok && isPlain(path) && !slices.Contains(strings.Split(path, "."), "")
}

func (c *CustomResponse) validate(f *fields) {
	f.between("custom_response.status", c.Status, 200, 299)
	if c.ContentType != "" && (!isInert(c.ContentType) || !isFieldValue(c.ContentType) || len(c.ContentType) > 100) {
		f.add("custom_response.content_type", "must be application/json, another type that ends in +json, text/plain or application/x-www-form-urlencoded")
	}
	if len(c.Body) > maxCustomResponse {
		f.add("custom_response.body", "must have at most %d bytes", maxCustomResponse)
	}
	if c.Body != "" && (c.Status == 204 || c.Status == 205) {
		f.add("custom_response.body", "must be empty with status %d", c.Status)
	}
}

// AnswerType is the content type to answer with: the one that was set, unless a
// browser might run what it names. Such types were once allowed.
func (c *CustomResponse) AnswerType() string {
	if isInert(c.ContentType) {
		return c.ContentType
	}
	return plainText
}

const plainText = "text/plain; charset=utf-8"

// isInert reports whether no browser runs anything in a content of that type:
// the answer may come from the origin of the dashboard.
func isInert(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch kind {
	case "application/json", "text/plain", "application/x-www-form-urlencoded":
		return true
	}
	return strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

func presetNames() string {
	names := make([]string, len(presets))
	for i := range presets {
		names[i] = presets[i].Name
	}
	return strings.Join(names, ", ")
}

func (v *Verifier) validate(f *fields) {
	switch v.Type {
	case VerifierNoop:
	case VerifierHMAC:
		v.HMAC.validate(f)
	case VerifierBasicAuth:
		v.BasicAuth.validate(f, "verifier.basic_auth")
	case VerifierAPIKey:
		v.APIKey.validate(f, "verifier.api_key")
	default:
		preset := findPreset(v.Type)
		if preset == nil {
			f.add("verifier.type", "must be noop, hmac, basic_auth, api_key or one of: %s", presetNames())
			return
		}
		f.secret("verifier.secret", v.Secret)
		if v.Secret != "" && preset.checkKey != nil && preset.checkKey(v.Secret) != nil {
			f.add("verifier.secret", "must be a key as %s shows it. %s", preset.Title, preset.Note)
		}
	}
}

func (v *HMACVerifier) validate(f *fields) {
	if v == nil {
		f.add("verifier.hmac", "must be given with type hmac: header, hash, secret, encoding and, if need be, prefix")
		return
	}
	f.token("verifier.hmac.header", v.Header)
	if _, ok := digestFor(v.Hash, "hex"); !ok {
		f.add("verifier.hmac.hash", "must be sha1, sha256 or sha512")
	}
	if _, ok := digestFor("sha256", v.Encoding); !ok {
		f.add("verifier.hmac.encoding", "must be hex or base64")
	}
	f.secret("verifier.hmac.secret", v.Secret)
	if !isFieldValue(v.Prefix) || len(v.Prefix) > 100 {
		f.add("verifier.hmac.prefix", "must have at most 100 characters and no control characters")
	}
}

func (v *BasicAuthVerifier) validate(f *fields, field string) {
	if v == nil {
		f.add(field, "must be given with type basic_auth: username and password")
		return
	}
	f.secret(field+".username", v.Username)
	if strings.Contains(v.Username, ":") {
		f.add(field+".username", "must not contain a colon")
	}
	f.secret(field+".password", v.Password)
}

func (v *APIKeyVerifier) validate(f *fields, field string) {
	if v == nil {
		f.add(field, "must be given with type api_key: header_name and header_value")
		return
	}
	f.token(field+".header_name", v.HeaderName)
	f.secret(field+".header_value", v.HeaderValue)
}
