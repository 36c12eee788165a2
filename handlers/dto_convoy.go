package handlers

import (
	"cmp"

	"github.com/reprise-dev/reprise/relay"
)

// The shapes of convoy's documentation, every field of them. What this product
// does not have stays empty.

type convoyEvent struct {
	AcknowledgedAt   *string             `json:"acknowledged_at"`
	AppID            string              `json:"app_id"`
	CreatedAt        *string             `json:"created_at"`
	Data             any                 `json:"data"`
	DeletedAt        *string             `json:"deleted_at"`
	EndpointMetadata []convoyEndpoint    `json:"endpoint_metadata"`
	Endpoints        []string            `json:"endpoints"`
	EventType        string              `json:"event_type"`
	Headers          map[string][]string `json:"headers"`
	IdempotencyKey   string              `json:"idempotency_key"`
	IsDuplicate      bool                `json:"is_duplicate_event"`
	Metadata         string              `json:"metadata"`
	ProjectID        string              `json:"project_id"`
	Raw              string              `json:"raw"`
	SourceID         string              `json:"source_id"`
	SourceMetadata   *convoySource       `json:"source_metadata"`
	Status           string              `json:"status"`
	UID              string              `json:"uid"`
	UpdatedAt        *string             `json:"updated_at"`
	URLQueryParams   string              `json:"url_query_params"`
}

type convoyEndpoint struct {
	AdvancedSignatures bool         `json:"advanced_signatures"`
	Authentication     convoyAuth   `json:"authentication"`
	CreatedAt          *string      `json:"created_at"`
	DeletedAt          *string      `json:"deleted_at"`
	Description        string       `json:"description"`
	Events             int64        `json:"events"`       // delivered or given up
	FailureRate        float64      `json:"failure_rate"` // in per cent of Events
	HTTPTimeout        float64      `json:"http_timeout"`
	Name               string       `json:"name"`
	OwnerID            string       `json:"owner_id"`
	ProjectID          string       `json:"project_id"`
	RateLimit          int          `json:"rate_limit"`
	RateLimitDuration  float64      `json:"rate_limit_duration"`
	Secrets            []convoyKeys `json:"secrets"`
	SlackWebhookURL    string       `json:"slack_webhook_url"`
	Status             string       `json:"status"`
	SupportEmail       string       `json:"support_email"`
	UID                string       `json:"uid"`
	UpdatedAt          *string      `json:"updated_at"`
	URL                string       `json:"url"`
}

type convoyAuth struct {
	APIKey convoyAPIKey `json:"api_key"`
	Type   string       `json:"type"`
}

type convoyAPIKey struct {
	HeaderName  string `json:"header_name"`
	HeaderValue string `json:"header_value"`
}

type convoyKeys struct {
	CreatedAt *string `json:"created_at"`
	DeletedAt *string `json:"deleted_at"`
	ExpiresAt *string `json:"expires_at"`
	UID       string  `json:"uid"`
	UpdatedAt *string `json:"updated_at"`
	Value     string  `json:"value"`
}

type convoySource struct {
	BodyFunction   string           `json:"body_function"`
	CreatedAt      *string          `json:"created_at"`
	CustomResponse convoyResponse   `json:"custom_response"`
	DeletedAt      *string          `json:"deleted_at"`
	ForwardHeaders []string         `json:"forward_headers"`
	HeaderFunction string           `json:"header_function"`
	IdempotencyKey []string         `json:"idempotency_keys"`
	IsDisabled     bool             `json:"is_disabled"`
	MaskID         string           `json:"mask_id"`
	Name           string           `json:"name"`
	ProjectID      string           `json:"project_id"`
	Provider       string           `json:"provider"`
	ProviderConfig convoyProvider   `json:"provider_config"`
	PubSub         convoyPubSub     `json:"pub_sub"`
	Type           relay.SourceType `json:"type"`
	UID            string           `json:"uid"`
	UpdatedAt      *string          `json:"updated_at"`
	URL            string           `json:"url"`
	Verifier       convoyVerifier   `json:"verifier"`
}

type convoyResponse struct {
	Body        string `json:"body"`
	ContentType string `json:"content_type"`
}

type convoyProvider struct {
	Twitter struct {
		CRCVerifiedAt *string `json:"crc_verified_at"`
	} `json:"twitter"`
}

type convoyPubSub struct {
	AMQP struct {
		Auth struct {
			Password string `json:"password"`
			User     string `json:"user"`
		} `json:"auth"`
		BindedExchange     string `json:"bindedExchange"`
		DeadLetterExchange string `json:"deadLetterExchange"`
		Host               string `json:"host"`
		Port               string `json:"port"`
		Queue              string `json:"queue"`
		RoutingKey         string `json:"routingKey"`
		Schema             string `json:"schema"`
		Vhost              string `json:"vhost"`
	} `json:"amqp"`
	Google struct {
		ProjectID      string `json:"project_id"`
		ServiceAccount []int  `json:"service_account"`
		SubscriptionID string `json:"subscription_id"`
	} `json:"google"`
	Kafka struct {
		Auth struct {
			Hash     string `json:"hash"`
			Password string `json:"password"`
			TLS      bool   `json:"tls"`
			Type     string `json:"type"`
			Username string `json:"username"`
		} `json:"auth"`
		Brokers         []string `json:"brokers"`
		ConsumerGroupID string   `json:"consumer_group_id"`
		TopicName       string   `json:"topic_name"`
	} `json:"kafka"`
	SQS struct {
		AccessKeyID   string `json:"access_key_id"`
		DefaultRegion string `json:"default_region"`
		QueueName     string `json:"queue_name"`
		SecretKey     string `json:"secret_key"`
	} `json:"sqs"`
	Type    string `json:"type"`
	Workers int    `json:"workers"`
}

type convoyVerifier struct {
	APIKey    convoyAPIKey            `json:"api_key"`
	BasicAuth relay.BasicAuthVerifier `json:"basic_auth"`
	HMAC      convoyHMAC              `json:"hmac"`
	Type      string                  `json:"type"`
}

type convoyHMAC struct {
	Encoding string `json:"encoding"`
	Hash     string `json:"hash"`
	Header   string `json:"header"`
	Secret   string `json:"secret"`
}

func convoyEndpointOf(e *relay.Endpoint) convoyEndpoint {
	auth := maskedAuthentication(e.Authentication)
	out := convoyEndpoint{
		AdvancedSignatures: true, Authentication: convoyAuth{Type: auth.Type}, CreatedAt: timeOrNull(e.CreatedAt),
		Description: e.Description, HTTPTimeout: seconds(e.HTTPTimeout), Name: e.Name, ProjectID: relay.PrefixProject.Format(e.ProjectID),
		RateLimit: e.RateLimit, RateLimitDuration: seconds(e.RateLimitDuration), Secrets: []convoyKeys{}, SlackWebhookURL: relay.MaskURL(e.SlackWebhookURL),
		Status: string(e.Status), SupportEmail: e.SupportEmail, UID: relay.PrefixEndpoint.Format(e.ID), UpdatedAt: timeOrNull(e.UpdatedAt), URL: e.URL,
	}
	if e.Status == relay.EndpointDisabled {
		out.Status = "inactive"
	}
	if auth.APIKey != nil {
		out.Authentication.APIKey = convoyAPIKey{auth.APIKey.HeaderName, auth.APIKey.HeaderValue}
	}
	for _, s := range e.Secrets {
		out.Secrets = append(out.Secrets, convoyKeys{CreatedAt: timeOrNull(s.CreatedAt), ExpiresAt: timeOrNull(s.ExpiresAt),
			UID: s.ID.UUID(), UpdatedAt: timeOrNull(s.CreatedAt), Value: relay.MaskSecret(s.Value)})
	}
	return out
}

// convoyProviders are the providers that convoy has words for.
var convoyProviders = map[string]string{"github": "github", "shopify": "shopify", "x": "twitter"}

func (a *App) convoySourceOf(src *relay.Source) *convoySource {
	v := maskedVerifier(src.Verifier)
	out := &convoySource{
		CreatedAt: timeOrNull(src.CreatedAt), ForwardHeaders: listOrEmpty(src.ForwardHeaders), IdempotencyKey: listOrEmpty(src.IdempotencyKeys),
		IsDisabled: src.IsDisabled, MaskID: src.Slug, Name: src.Name, ProjectID: relay.PrefixProject.Format(src.ProjectID),
		Provider: convoyProviders[cmp.Or(src.Provider, v.Type)], Type: src.Type, UID: relay.PrefixSource.Format(src.ID), UpdatedAt: timeOrNull(src.UpdatedAt),
		URL: a.ingestURL(src), Verifier: convoyVerifier{Type: cmp.Or(v.Type, relay.VerifierNoop)},
	}
	if r := src.CustomResponse; r != nil {
		out.CustomResponse = convoyResponse{r.Body, r.ContentType}
	}
	switch {
	case v.HMAC != nil:
		out.Verifier.HMAC = convoyHMAC{v.HMAC.Encoding, v.HMAC.Hash, v.HMAC.Header, v.HMAC.Secret}
	case v.BasicAuth != nil:
		out.Verifier.BasicAuth = *v.BasicAuth
	case v.APIKey != nil:
		out.Verifier.APIKey = convoyAPIKey{v.APIKey.HeaderName, v.APIKey.HeaderValue}
	case v.Secret != "": // a provider's own signature, which has no other word
		out.Verifier.Type, out.Verifier.HMAC.Secret = relay.VerifierHMAC, v.Secret
	}
	out.PubSub.Google.ServiceAccount, out.PubSub.Kafka.Brokers = []int{}, []string{}
	return out
}
