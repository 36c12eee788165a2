package handlers

import (
	"strings"

	"github.com/reprise-dev/reprise/relay"
	"github.com/reprise-dev/reprise/views"
)

const defaultRetentionDays = 30

// applySource writes what the form says into a source, new or existing, and
// tells what is wrong with the outcome.
func (f *form) applySource(src *relay.Source) error {
	f.faults = nil
	before := *src
	src.Name = f.text("name")
	src.Type = relay.SourceType(f.text("type"))
	if src.Type == "" {
		src.Type = relay.SourceHTTP
	}
	if slug := f.text("slug"); slug != "" {
		src.Slug = slug
	} else if src.Slug == "" {
		src.Slug = relay.Slugify(src.Name, src.ID.Hex()[24:])
	}
	f.applyVerifier(src)
	src.EventTypeLocation = f.text("event_type_location")
	src.IdempotencyKeys = views.SplitList(f.raw("idempotency_keys"))
	src.FollowPreset(&before)
	src.ForwardHeaders = views.SplitList(f.raw("forward_headers"))
	src.RetentionDays = f.number("retention_days", "retention_days", defaultRetentionDays)
	src.RateLimit = f.number("rate_limit", "rate_limit", 0)
	src.IsDisabled = f.disabled()
	src.CustomResponse = nil
	response := relay.CustomResponse{
		Status:      f.number("custom_response_status", "custom_response.status", 200),
		ContentType: f.text("custom_response_content_type"),
		Body:        f.block("custom_response_body"),
	}
	if f.text("custom_response_status") != "" || response.Body != "" {
		src.CustomResponse = &response
	}
	return f.check(src.Validate())
}

// applyVerifier reads the fields of the chosen type. A secret that is left
// empty stays what it was as long as the type does.
func (f *form) applyVerifier(src *relay.Source) {
	old, v := src.Verifier, relay.Verifier{Type: f.text("verifier_type")}
	switch v.Type {
	case "":
		v.Type = relay.VerifierNoop
	case relay.VerifierNoop:
	case relay.VerifierHMAC:
		v.HMAC = &relay.HMACVerifier{
			Header: f.text("hmac_header"), Hash: f.text("hmac_hash"), Secret: f.raw("hmac_secret"),
			Encoding: f.text("hmac_encoding"), Prefix: f.raw("hmac_prefix"),
		}
		if v.HMAC.Secret == "" && old.HMAC != nil {
			v.HMAC.Secret = old.HMAC.Secret
		}
	case relay.VerifierBasicAuth:
		v.BasicAuth = f.basicAuth(old.BasicAuth)
	case relay.VerifierAPIKey:
		v.APIKey = f.apiKey(old.APIKey)
	default:
		if v.Secret = f.raw("secret"); v.Secret == "" && samePreset(old.Type, v.Type) {
			v.Secret = old.Secret
		}
	}
	if preset, ok := relay.PresetFor(v.Type); ok {
		src.Provider = preset.Name
	} else if was, ok := relay.PresetFor(old.Type); ok && src.Provider == was.Name {
		src.Provider = ""
	}
	src.Verifier = v
}

// samePreset compares two verifier types, of which one may be an alias.
func samePreset(a, b string) bool {
	one, _ := relay.PresetFor(a)
	other, ok := relay.PresetFor(b)
	return ok && one.Name == other.Name
}

func (f *form) basicAuth(old *relay.BasicAuthVerifier) *relay.BasicAuthVerifier {
	auth := &relay.BasicAuthVerifier{Username: f.text("basic_auth_username"), Password: f.raw("basic_auth_password")}
	if auth.Password == "" && old != nil {
		auth.Password = old.Password
	}
	return auth
}

func (f *form) apiKey(old *relay.APIKeyVerifier) *relay.APIKeyVerifier {
	key := &relay.APIKeyVerifier{HeaderName: f.text("api_key_header_name"), HeaderValue: f.raw("api_key_header_value")}
	if key.HeaderValue == "" && old != nil {
		key.HeaderValue = old.HeaderValue
	}
	return key
}

// typedSource is the form as the person left it, to be shown again.
func (f *form) typedSource(id relay.ID, secretSet bool, err error) views.SourceForm {
	return views.SourceForm{
		ID: id, Name: f.raw("name"), Slug: f.raw("slug"), Type: f.raw("type"),
		VerifierType: f.raw("verifier_type"), Secret: f.raw("secret"),
		HMACHeader: f.raw("hmac_header"), HMACHash: f.raw("hmac_hash"), HMACSecret: f.raw("hmac_secret"),
		HMACEncoding: f.raw("hmac_encoding"), HMACPrefix: f.raw("hmac_prefix"),
		BasicAuthUsername: f.raw("basic_auth_username"), BasicAuthPassword: f.raw("basic_auth_password"),
		APIKeyHeaderName: f.raw("api_key_header_name"), APIKeyHeaderValue: f.raw("api_key_header_value"),
		EventTypeLocation: f.raw("event_type_location"), IdempotencyKeys: f.block("idempotency_keys"),
		ResponseStatus: f.raw("custom_response_status"), ResponseContentType: f.raw("custom_response_content_type"),
		ResponseBody: f.block("custom_response_body"), ForwardHeaders: f.block("forward_headers"),
		RetentionDays: f.raw("retention_days"), RateLimit: f.raw("rate_limit"), IsDisabled: f.disabled(),
		SecretSet: secretSet, Errors: formErrors(err),
	}
}

// newSourceForm is the form before anything was typed.
func newSourceForm() views.SourceForm {
	return views.SourceForm{
		Type: string(relay.SourceHTTP), VerifierType: relay.VerifierNoop,
		HMACHash: "sha256", HMACEncoding: "hex", RetentionDays: formNumber(defaultRetentionDays),
	}
}

// sourceForm shows the settings of a source, but for its secrets.
func sourceForm(src *relay.Source) views.SourceForm {
	form := newSourceForm()
	form.ID, form.Name, form.Slug, form.Type = src.ID, src.Name, src.Slug, string(src.Type)
	form.VerifierType, form.SecretSet = src.Verifier.Type, hasSecret(src.Verifier)
	if preset, ok := relay.PresetFor(src.Verifier.Type); ok {
		form.VerifierType = preset.Name
	}
	if h := src.Verifier.HMAC; h != nil {
		form.HMACHeader, form.HMACHash, form.HMACEncoding, form.HMACPrefix = h.Header, h.Hash, h.Encoding, h.Prefix
	}
	if b := src.Verifier.BasicAuth; b != nil {
		form.BasicAuthUsername = b.Username
	}
	if k := src.Verifier.APIKey; k != nil {
		form.APIKeyHeaderName = k.HeaderName
	}
	if r := src.CustomResponse; r != nil {
		form.ResponseStatus, form.ResponseContentType, form.ResponseBody = formNumber(r.Status), r.ContentType, r.Body
	}
	form.EventTypeLocation = src.EventTypeLocation
	form.IdempotencyKeys = strings.Join(src.IdempotencyKeys, "\n")
	form.ForwardHeaders = strings.Join(src.ForwardHeaders, "\n")
	form.RetentionDays, form.RateLimit = formNumber(src.RetentionDays), blankZero(src.RateLimit)
	form.IsDisabled = src.IsDisabled
	return form
}

func hasSecret(v relay.Verifier) bool {
	return v.Secret != "" || v.HMAC != nil || v.BasicAuth != nil || v.APIKey != nil
}
