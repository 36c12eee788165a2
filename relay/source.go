package relay

import "time"

// SourceType is how events reach a source.
type SourceType string

// The types of source.
const (
	SourceHTTP    SourceType = "http"     // providers post to /in/<slug>
	SourceRESTAPI SourceType = "rest_api" // programs publish with POST /events
)

// Source is where webhooks come in.
type Source struct {
	ID                ID
	ProjectID         ID
	Name              string
	Slug              string // of the ingest URL, unique over all projects
	Type              SourceType
	Provider          string // a preset's name (see Presets), or empty
	Verifier          Verifier
	EventTypeLocation string   // "request.header.X-Type" or "request.body.a.b"; empty: the preset's, else the defaults of EventType
	IdempotencyKeys   []string // locations in the same form; together they make the key
	CustomResponse    *CustomResponse
	ForwardHeaders    []string // names; empty: all end-to-end headers that are safe to forward
	RetentionDays     int
	RateLimit         int // requests a second, 0: none
	IsDisabled        bool
	Unreadable        bool // its verifier cannot be read, so nothing can be judged
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// CustomResponse replaces the answer to a provider that wants a certain one.
type CustomResponse struct {
	Status      int    `json:"status"`
	ContentType string `json:"content_type"`
	Body        string `json:"body"`
}

// The verifier types that are not presets of a provider.
const (
	VerifierNoop      = "noop"
	VerifierHMAC      = "hmac"
	VerifierBasicAuth = "basic_auth"
	VerifierAPIKey    = "api_key"
)

// Verifier is the rule that authenticates a request to a source. Type is one
// of the constants above or the name of a provider preset, which needs only
// Secret. An unknown type verifies nothing and refuses.
type Verifier struct {
	Type      string             `json:"type"`
	HMAC      *HMACVerifier      `json:"hmac,omitempty"`
	BasicAuth *BasicAuthVerifier `json:"basic_auth,omitempty"`
	APIKey    *APIKeyVerifier    `json:"api_key,omitempty"`
	Secret    string             `json:"secret,omitempty"`
}

// HMACVerifier checks a keyed hash of the raw body, sent in a header.
type HMACVerifier struct {
	Header   string `json:"header"`
	Hash     string `json:"hash"` // sha1, sha256 or sha512
	Secret   string `json:"secret"`
	Encoding string `json:"encoding"` // hex or base64
	Prefix   string `json:"prefix"`   // before the signature in the header, such as "sha256="
}

// BasicAuthVerifier checks HTTP Basic credentials (RFC 7617).
type BasicAuthVerifier struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// APIKeyVerifier checks that a header has a given value.
type APIKeyVerifier struct {
	HeaderName  string `json:"header_name"`
	HeaderValue string `json:"header_value"`
}
