package db

import (
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/reprise-dev/reprise/relay"
)

type endpointRow struct {
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

type secretRow struct {
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

func (s *Store) sealEndpoint(e *relay.Endpoint) (*endpointRow, error) {
	private, err := json.Marshal(privateJSON{e.Authentication, relay.EncodeHeaders(e.Headers), e.SlackWebhookURL})
	if err != nil {
		return nil, err
	}
	sources := make([]string, len(e.SourceIDs))
	for i, id := range e.SourceIDs {
		sources[i] = id.UUID()
	}
	return &endpointRow{
		ID: e.ID, ProjectID: e.ProjectID, Name: clean(e.Name), URL: clean(e.URL), Description: clean(e.Description),
		SourceIDs: jsonText(sources), EventFilter: jsonText(e.EventFilter), Status: string(e.Status), PauseReason: clean(e.PauseReason),
		Retry:       jsonText(retryJSON{e.Retry.MaxRetries, e.Retry.InitialDelay.Microseconds(), e.Retry.Factor, e.Retry.MaxDelay.Microseconds()}),
		HTTPTimeout: e.HTTPTimeout.Microseconds(), RateLimit: e.RateLimit, RateLimitDuration: e.RateLimitDuration.Microseconds(),
		MaxInFlight: e.MaxInFlight, Private: s.box.seal(private, "endpoints", e.ID), SupportEmail: clean(e.SupportEmail),
		CreatedAt: micros(e.CreatedAt), UpdatedAt: micros(e.UpdatedAt),
	}, nil
}

// plain is what of an endpoint is neither sealed nor a list.
func (r *endpointRow) plain() *relay.Endpoint {
	return &relay.Endpoint{
		ID: r.ID, ProjectID: r.ProjectID, Name: r.Name, URL: r.URL, Description: r.Description,
		Status: relay.EndpointStatus(r.Status), PauseReason: r.PauseReason, HTTPTimeout: fromMicroseconds(r.HTTPTimeout),
		RateLimit: r.RateLimit, RateLimitDuration: fromMicroseconds(r.RateLimitDuration), MaxInFlight: r.MaxInFlight,
		SupportEmail: r.SupportEmail, CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
}

func (s *Store) openEndpoint(r *endpointRow, secrets []secretRow) (*relay.Endpoint, error) {
	e := r.plain()
	sources, err := fromJSON[[]string](r.SourceIDs)
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
	if e.EventFilter, err = fromJSON[[]string](r.EventFilter); err != nil {
		return nil, err
	}
	retry, err := fromJSON[retryJSON](r.Retry)
	if err != nil {
		return nil, err
	}
	e.Retry = relay.RetryPolicy{MaxRetries: retry.MaxRetries, InitialDelay: fromMicroseconds(retry.InitialDelay),
		Factor: retry.Factor, MaxDelay: fromMicroseconds(retry.MaxDelay)}
	plain, err := s.box.open(r.Private, "endpoints", r.ID)
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
		value, err := s.box.open(row.Sealed, "secrets", row.ID)
		if err != nil {
			return nil, err
		}
		e.Secrets = append(e.Secrets, relay.Secret{ID: row.ID, Value: string(value),
			CreatedAt: fromMicros(row.CreatedAt), ExpiresAt: fromMicros(row.ExpiresAt)})
	}
	return e, nil
}

func (s *Store) sealSecrets(endpoint relay.ID, secrets []relay.Secret) []secretRow {
	rows := make([]secretRow, len(secrets))
	for i, secret := range secrets {
		rows[i] = secretRow{ID: secret.ID, EndpointID: endpoint, Sealed: s.box.seal([]byte(secret.Value), "secrets", secret.ID),
			CreatedAt: micros(secret.CreatedAt), ExpiresAt: micros(secret.ExpiresAt)}
	}
	return rows
}

func fromMicroseconds(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
