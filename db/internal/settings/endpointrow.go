package settings

import (
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/db/internal/sqldb"
	"github.com/reprise-dev/reprise/relay"
)

// EndpointRow is an endpoint as it is stored.
type EndpointRow struct {
	bun.BaseModel     `bun:"table:endpoints"`
	ID                relay.ID `bun:",pk"`
	ProjectID         relay.ID
	Name              string
	URL               string
	Description       string
	SourceIDs         string `bun:"source_ids"` // JSON list of UUIDs
	EventFilter       string // JSON list
	Status            string
	PauseReason       string
	Retry             string // JSON, retryJSON
	HTTPTimeout       int64  `bun:"http_timeout"` // durations are microseconds
	RateLimit         int
	RateLimitDuration int64
	MaxInFlight       int
	Private           []byte // sealed JSON, privateJSON
	SupportEmail      string
	CreatedAt         int64
	UpdatedAt         int64
	DeletedAt         int64 `bun:",nullzero"`
}

// SecretRow is a signing secret of an endpoint, sealed.
type SecretRow struct {
	bun.BaseModel `bun:"table:secrets"`
	ID            relay.ID `bun:",pk"`
	EndpointID    relay.ID
	Sealed        []byte
	CreatedAt     int64
	ExpiresAt     int64 `bun:",nullzero"`
}

type retryJSON struct {
	MaxRetries   int     `json:"max_retries"`
	InitialDelay int64   `json:"initial_delay"`
	Factor       float64 `json:"factor"`
	MaxDelay     int64   `json:"max_delay"`
}

// privateJSON is what of an endpoint gives access to something.
type privateJSON struct {
	Authentication  relay.Authentication `json:"authentication"`
	Headers         []byte               `json:"headers,omitempty"`
	SlackWebhookURL string               `json:"slack_webhook_url,omitempty"`
}

// SealEndpoint makes a row of an endpoint, its private parts sealed.
func (s *Store) SealEndpoint(e *relay.Endpoint) (*EndpointRow, error) {
	private, err := json.Marshal(privateJSON{e.Authentication, relay.EncodeHeaders(e.Headers), e.SlackWebhookURL})
	if err != nil {
		return nil, err
	}
	sources := make([]string, len(e.SourceIDs))
	for i, id := range e.SourceIDs {
		sources[i] = id.UUID()
	}
	return &EndpointRow{
		ID: e.ID, ProjectID: e.ProjectID, Name: sqldb.Clean(e.Name), URL: sqldb.Clean(e.URL), Description: sqldb.Clean(e.Description),
		SourceIDs: sqldb.JSONText(sources), EventFilter: sqldb.JSONText(e.EventFilter), Status: string(e.Status), PauseReason: sqldb.Clean(e.PauseReason),
		Retry:       sqldb.JSONText(retryJSON{e.Retry.MaxRetries, e.Retry.InitialDelay.Microseconds(), e.Retry.Factor, e.Retry.MaxDelay.Microseconds()}),
		HTTPTimeout: e.HTTPTimeout.Microseconds(), RateLimit: e.RateLimit, RateLimitDuration: e.RateLimitDuration.Microseconds(),
		MaxInFlight: e.MaxInFlight, Private: s.Box.Seal(private, "endpoints", e.ID), SupportEmail: sqldb.Clean(e.SupportEmail),
		CreatedAt: sqldb.Micros(e.CreatedAt), UpdatedAt: sqldb.Micros(e.UpdatedAt),
	}, nil
}

// plain is what of an endpoint is neither sealed nor a list.
func (r *EndpointRow) plain() *relay.Endpoint {
	return &relay.Endpoint{
		ID: r.ID, ProjectID: r.ProjectID, Name: r.Name, URL: r.URL, Description: r.Description,
		Status: relay.EndpointStatus(r.Status), PauseReason: r.PauseReason, HTTPTimeout: FromMicroseconds(r.HTTPTimeout),
		RateLimit: r.RateLimit, RateLimitDuration: FromMicroseconds(r.RateLimitDuration), MaxInFlight: r.MaxInFlight,
		SupportEmail: r.SupportEmail, CreatedAt: sqldb.FromMicros(r.CreatedAt), UpdatedAt: sqldb.FromMicros(r.UpdatedAt),
	}
}

func (s *Store) openEndpoint(r *EndpointRow, secrets []SecretRow) (*relay.Endpoint, error) {
	e := r.plain()
	sources, err := sqldb.FromJSON[[]string](r.SourceIDs)
	if err != nil {
		return nil, err
	}
	for _, text := range sources {
		id, err := relay.ParseID(relay.PrefixSource, text)
		if err != nil {
			return nil, err
		}
		e.SourceIDs = append(e.SourceIDs, id)
	}
	if e.EventFilter, err = sqldb.FromJSON[[]string](r.EventFilter); err != nil {
		return nil, err
	}
	retry, err := sqldb.FromJSON[retryJSON](r.Retry)
	if err != nil {
		return nil, err
	}
	e.Retry = relay.RetryPolicy{MaxRetries: retry.MaxRetries, InitialDelay: FromMicroseconds(retry.InitialDelay),
		Factor: retry.Factor, MaxDelay: FromMicroseconds(retry.MaxDelay)}
	plain, err := s.Box.Open(r.Private, "endpoints", r.ID)
	if err != nil {
		return nil, err
	}
	var private privateJSON
	if err := json.Unmarshal(plain, &private); err != nil {
		return nil, err
	}
	e.Authentication, e.SlackWebhookURL = private.Authentication, private.SlackWebhookURL
	if e.Headers, err = relay.DecodeHeaders(private.Headers); err != nil {
		return nil, err
	}
	for _, row := range secrets {
		value, err := s.Box.Open(row.Sealed, "secrets", row.ID)
		if err != nil {
			return nil, err
		}
		e.Secrets = append(e.Secrets, relay.Secret{ID: row.ID, Value: string(value),
			CreatedAt: sqldb.FromMicros(row.CreatedAt), ExpiresAt: sqldb.FromMicros(row.ExpiresAt)})
	}
	return e, nil
}

func (s *Store) sealSecrets(endpoint relay.ID, secrets []relay.Secret) []SecretRow {
	rows := make([]SecretRow, len(secrets))
	for i, secret := range secrets {
		rows[i] = SecretRow{ID: secret.ID, EndpointID: endpoint, Sealed: s.Box.Seal([]byte(secret.Value), "secrets", secret.ID),
			CreatedAt: sqldb.Micros(secret.CreatedAt), ExpiresAt: sqldb.Micros(secret.ExpiresAt)}
	}
	return rows
}

// FromMicroseconds is a stored duration.
func FromMicroseconds(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
