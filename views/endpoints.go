package views

import (
	"time"

	"github.com/reprise-dev/reprise/relay"
)

// EndpointsModel lists the endpoints of a project.
type EndpointsModel struct {
	Frame
	Rows []EndpointRow
}

// EndpointRow is one endpoint with its health of the last 24 hours.
type EndpointRow struct {
	Endpoint    *relay.Endpoint
	Totals      Totals   // of the last 24 hours
	Buckets     []Bucket // by hour, oldest first; nil: no drawing
	Waiting     int      // deliveries pending or retrying
	DeadLetters int      // newest deliveries only
	LastAt      time.Time
}

// EndpointModel is one endpoint: health, newest deliveries, settings.
type EndpointModel struct {
	Frame
	Tab        string // query parameter "tab": "" or "settings"; a failed save sets "settings"
	Row        EndpointRow
	Sources    []SourceRef // of the project; to name those it is subscribed to
	Recent     []DeliveryRow
	NewSecret  string   // just made: shown this once
	Secrets    []Secret // live ones, newest first
	EventTypes []string // that can be sent as a test; the first is the default
	Form       EndpointForm
}

// Secret is a signing secret as it may be shown.
type Secret struct {
	Hint      string // masked, such as "whsec_MfKQ…x9Tw"
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
}

// EndpointFormModel is the page that makes an endpoint.
type EndpointFormModel struct {
	Frame
	Form EndpointForm
}

// EndpointForm holds the fields of an endpoint as they were typed. The name of
// each form field stands behind it. Secret fields are empty unless just typed:
// on an existing endpoint an empty one keeps what is stored.
type EndpointForm struct {
	ID                relay.ID        // zero: a new endpoint
	Sources           []SourceRef     // to choose from
	Name              string          // name
	URL               string          // url
	Description       string          // description
	SourceIDs         []string        // source_ids, repeated, prefixed ids; none: every source
	EventFilter       string          // event_filter, one a line or by commas; empty: all
	Secret            string          // secret, new endpoints only; empty: one is made
	BackfillDays      string          // backfill_days, new endpoints only; empty: none
	RetryMaxRetries   string          // retry_max_retries
	RetryInitialDelay string          // retry_initial_delay, seconds
	RetryFactor       string          // retry_factor
	RetryMaxDelay     string          // retry_max_delay, seconds
	RetrySchedule     []time.Duration // what these settings amount to; nil: not shown
	HTTPTimeout       string          // http_timeout, seconds
	RateLimit         string          // rate_limit; 0 or empty: none
	RateLimitDuration string          // rate_limit_duration, seconds
	MaxInFlight       string          // max_in_flight; 0 or empty: by itself
	AuthType          string          // authentication_type: none, api_key, basic_auth, bearer
	APIKeyHeaderName  string          // api_key_header_name
	APIKeyHeaderValue string          // api_key_header_value
	BasicAuthUsername string          // basic_auth_username
	BasicAuthPassword string          // basic_auth_password
	BearerToken       string          // bearer_token
	AuthSet           bool            // a credential is stored for the present type
	Headers           string          // headers, one "Name: value" a line
	SupportEmail      string          // support_email
	SlackWebhookURL   string          // slack_webhook_url
	IsDisabled        bool            // is_disabled, "on" when ticked; existing endpoints only
	Errors            map[string]string
}
