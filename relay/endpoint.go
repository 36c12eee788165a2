package relay

import "time"

// EndpointStatus says whether an endpoint gets deliveries.
type EndpointStatus string

// The states of an endpoint.
const (
	EndpointActive   EndpointStatus = "active"
	EndpointPaused   EndpointStatus = "paused"   // new deliveries are made and wait
	EndpointDisabled EndpointStatus = "disabled" // gets no new deliveries; those made before still go out
)

// Endpoint is a URL to deliver to, with what it wants and how it is treated.
type Endpoint struct {
	ID                ID
	ProjectID         ID
	Name              string
	URL               string
	Description       string
	SourceIDs         []ID     // empty: every source
	EventFilter       []string // event types; * and invoice.* are patterns; empty: all
	Status            EndpointStatus
	PauseReason       string // why it is paused or disabled, for people
	Secrets           []Secret
	Retry             RetryPolicy
	HTTPTimeout       time.Duration
	RateLimit         int           // deliveries in each RateLimitDuration, 0: none
	RateLimitDuration time.Duration // 0 with RateLimit 0
	MaxInFlight       int           // 0: the product's own adaptive cap
	Authentication    Authentication
	Headers           Headers // added to every delivery
	SupportEmail      string
	SlackWebhookURL   string
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// Secret signs deliveries. Every secret that has not expired signs, so that a
// receiver can rotate without a gap.
type Secret struct {
	ID        ID
	Value     string // "whsec_" and base64
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
}

// RetryPolicy is when a failed delivery is tried again.
type RetryPolicy struct {
	MaxRetries   int           // after the first attempt; 0 to 30
	InitialDelay time.Duration // before the first retry
	Factor       float64       // each delay to the next
	MaxDelay     time.Duration // no delay is longer, nor is a Retry-After
}

// How an endpoint is authenticated to.
const (
	AuthNone   = "none"
	AuthAPIKey = "api_key"
	AuthBasic  = "basic_auth"
	AuthBearer = "bearer"
)

// Authentication is what deliveries present to the endpoint.
type Authentication struct {
	Type      string             `json:"type"`
	APIKey    *APIKeyVerifier    `json:"api_key,omitempty"`
	BasicAuth *BasicAuthVerifier `json:"basic_auth,omitempty"`
	Bearer    *BearerAuth        `json:"bearer,omitempty"`
}

// BearerAuth is a bearer token (RFC 6750).
type BearerAuth struct {
	Token string `json:"token"`
}
