package views

import (
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// SourcesModel lists the sources of a project.
type SourcesModel struct {
	Frame
	Rows []SourceRow
}

// SourceRow is one source with what came in of late.
type SourceRow struct {
	Source      *relay.Source
	URL         string    // ingest URL, absolute
	Events      int       // in the last 24 hours
	Rejected    int       // of Events: the signature was not valid
	LastEventAt time.Time // zero: never
	Spark       []int     // events by hour, oldest first, 24 numbers; nil: no drawing
}

// SourceModel is one source: numbers, newest events, settings.
type SourceModel struct {
	Frame
	Tab    string // query parameter "tab": "" or "settings"; a failed save sets "settings"
	Row    SourceRow
	Recent []EventRow // the newest ten
	Form   SourceForm // its settings; with Errors after a failed save
}

// SourceFormModel is the page that makes a source.
type SourceFormModel struct {
	Frame
	Form SourceForm
}

// SourceForm holds the fields of a source as they were typed. The name of each
// form field stands behind it. A secret field is empty unless the person just
// typed into it: on an existing source an empty one keeps the stored secret.
type SourceForm struct {
	ID                  relay.ID // zero: a new source
	Name                string   // name
	Slug                string   // slug; empty: made from the name
	Type                string   // type: http, rest_api
	VerifierType        string   // verifier_type: noop, hmac, basic_auth, api_key or a preset's name
	Secret              string   // secret, for presets
	HMACHeader          string   // hmac_header
	HMACHash            string   // hmac_hash
	HMACSecret          string   // hmac_secret
	HMACEncoding        string   // hmac_encoding
	HMACPrefix          string   // hmac_prefix
	BasicAuthUsername   string   // basic_auth_username
	BasicAuthPassword   string   // basic_auth_password
	APIKeyHeaderName    string   // api_key_header_name
	APIKeyHeaderValue   string   // api_key_header_value
	EventTypeLocation   string   // event_type_location
	IdempotencyKeys     string   // idempotency_keys, one a line or by commas
	ResponseStatus      string   // custom_response_status; empty: the usual answer
	ResponseContentType string   // custom_response_content_type
	ResponseBody        string   // custom_response_body
	ForwardHeaders      string   // forward_headers, one a line or by commas
	RetentionDays       string   // retention_days
	RateLimit           string   // rate_limit, a second; 0 or empty: none
	IsDisabled          bool     // is_disabled, "on" when ticked
	SecretSet           bool     // a secret is stored for the present verifier type
	Errors              map[string]string
}
