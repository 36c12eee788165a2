package handlers

import (
	"github.com/reprise-dev/reprise/relay"
)

// sourceIn is a source in a request: to create one, or the part to change.
type sourceIn struct {
	Name              opt[string]           `json:"name"`
	Slug              opt[string]           `json:"slug"`
	Type              opt[string]           `json:"type"`
	Provider          opt[string]           `json:"provider"`
	Verifier          opt[verifierIn]       `json:"verifier"`
	EventTypeLocation opt[string]           `json:"event_type_location"`
	IdempotencyKeys   opt[[]string]         `json:"idempotency_keys"`
	CustomResponse    opt[customResponseIn] `json:"custom_response"`
	ForwardHeaders    opt[[]string]         `json:"forward_headers"`
	RetentionDays     opt[int]              `json:"retention_days"`
	RateLimit         opt[int]              `json:"rate_limit"`
	IsDisabled        opt[bool]             `json:"is_disabled"`
}

type customResponseIn struct {
	Status      opt[int]    `json:"status"`
	ContentType opt[string] `json:"content_type"`
	Body        opt[string] `json:"body"`
}

// apply writes what is given over a source, and tells what is wrong with the
// outcome.
func (in *sourceIn) apply(src *relay.Source) error {
	before := *src
	in.Name.change(&src.Name, "")
	in.Slug.change(&src.Slug, "")
	if src.Slug == "" {
		src.Slug = relay.Slugify(src.Name, src.ID.Hex()[24:])
	}
	kind := string(src.Type)
	in.Type.change(&kind, string(relay.SourceHTTP))
	src.Type = relay.SourceType(kind)
	in.Provider.change(&src.Provider, "")
	in.applyVerifier(src)
	in.EventTypeLocation.change(&src.EventTypeLocation, "")
	in.IdempotencyKeys.change(&src.IdempotencyKeys, nil)
	if !in.IdempotencyKeys.Given {
		src.FollowPreset(&before)
	}
	in.applyResponse(src)
	in.ForwardHeaders.change(&src.ForwardHeaders, nil)
	in.RetentionDays.change(&src.RetentionDays, defaultRetentionDays)
	in.RateLimit.change(&src.RateLimit, 0)
	in.IsDisabled.change(&src.IsDisabled, false)
	return src.Validate()
}

// applyVerifier also names the provider after its preset, if nobody did.
func (in *sourceIn) applyVerifier(src *relay.Source) {
	if in.Verifier.Null {
		src.Verifier = relay.Verifier{Type: relay.VerifierNoop}
	}
	if in.Verifier.has() {
		in.Verifier.Value.apply(&src.Verifier, src.Provider)
	}
	if preset, ok := relay.PresetFor(src.Verifier.Type); ok && src.Provider == "" && !in.Provider.Given {
		src.Provider = preset.Name
	}
}

func (in *sourceIn) applyResponse(src *relay.Source) {
	if in.CustomResponse.Null {
		src.CustomResponse = nil
	}
	if !in.CustomResponse.has() {
		return
	}
	response := relay.CustomResponse{Status: 200}
	if src.CustomResponse != nil {
		response = *src.CustomResponse
	}
	given := &in.CustomResponse.Value
	given.Status.change(&response.Status, 200)
	given.ContentType.change(&response.ContentType, "")
	given.Body.change(&response.Body, "")
	src.CustomResponse = &response
}

type sourceOut struct {
	ID                string                `json:"id"`
	ProjectID         string                `json:"project_id"`
	Name              string                `json:"name"`
	Slug              string                `json:"slug"`
	Type              relay.SourceType      `json:"type"`
	Provider          *string               `json:"provider"`
	Verifier          relay.Verifier        `json:"verifier"`
	EventTypeLocation *string               `json:"event_type_location"`
	IdempotencyKeys   []string              `json:"idempotency_keys"`
	CustomResponse    *relay.CustomResponse `json:"custom_response"`
	ForwardHeaders    []string              `json:"forward_headers"`
	RetentionDays     int                   `json:"retention_days"`
	RateLimit         int                   `json:"rate_limit"`
	IsDisabled        bool                  `json:"is_disabled"`
	CreatedAt         *string               `json:"created_at"`
	UpdatedAt         *string               `json:"updated_at"`
	URL               string                `json:"url"`
}

func (a *App) sourceOut(src *relay.Source) sourceOut {
	return sourceOut{
		ID: relay.PrefixSource.Format(src.ID), ProjectID: relay.PrefixProject.Format(src.ProjectID), Name: src.Name, Slug: src.Slug,
		Type: src.Type, Provider: textOrNull(src.Provider), Verifier: maskedVerifier(src.Verifier),
		EventTypeLocation: textOrNull(src.EventTypeLocation), IdempotencyKeys: listOrEmpty(src.IdempotencyKeys),
		CustomResponse: src.CustomResponse, ForwardHeaders: listOrEmpty(src.ForwardHeaders), RetentionDays: src.RetentionDays,
		RateLimit: src.RateLimit, IsDisabled: src.IsDisabled, CreatedAt: timeOrNull(src.CreatedAt), UpdatedAt: timeOrNull(src.UpdatedAt),
		URL: a.ingestURL(src),
	}
}
