package relay

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// Preset is what the product knows about a provider of webhooks. The name is
// the type of a verifier that needs nothing but a secret.
type Preset struct {
	Name              string
	Title             string
	EventTypeLocation string   // empty: the type is found as for any source
	IdempotencyKeys   []string // the locations that a source with it begins with; empty: the provider sends none
	Answer            int      // the status that the provider takes for success, if 202 is none
	Note              string   // where people find the secret
	Weak              bool     // the scheme does not protect the whole request, or not by a keyed hash
	SignsURL          bool     // the source's public URL must be the one registered with the provider

	verify     scheme
	credential string                    // the header that is the secret itself, if one is
	checkKey   func(secret string) error // of secrets that have a form
	once       func(*reader) string      // a token that only one event may carry
	typeOf     func(*reader) string      // for types that no location can give
}

// Presets are all providers that the product can verify, by title.
func Presets() []Preset { return slices.Clone(presets) }

// PresetFor finds a provider by its name or an alias of it.
func PresetFor(name string) (Preset, bool) {
	if p := findPreset(name); p != nil {
		return *p, true
	}
	return Preset{}, false
}

func findPreset(name string) *Preset { return presetIndex[name] }

// presetOf is the preset of a source: that of its provider, else that of its
// verifier.
func presetOf(src *Source) *Preset {
	if p := findPreset(src.Provider); p != nil {
		return p
	}
	return findPreset(src.Verifier.Type)
}

// presetKeys are the idempotency keys that a source with its preset begins with.
func (s *Source) presetKeys() []string {
	if p := presetOf(s); p != nil {
		return slices.Clone(p.IdempotencyKeys)
	}
	return nil
}

// FollowPreset gives a source that was changed the idempotency keys of its new
// preset, if it had those of the one before, or none of either.
func (s *Source) FollowPreset(before *Source) {
	if presetOf(before) != presetOf(s) && slices.Equal(s.IdempotencyKeys, before.presetKeys()) {
		s.IdempotencyKeys = s.presetKeys()
	}
}

// OnceToken is the token of a request to a source that only one event may carry: who
// sends it again with another content has listened. Empty: the provider has none.
func (s *Source) OnceToken(p *Payload) string {
	preset := findPreset(s.Verifier.Type)
	if preset == nil || preset.once == nil {
		return ""
	}
	return preset.once(&reader{p: p})
}

// AnswerStatus is the status of the answer for what was accepted.
func (s *Source) AnswerStatus() int {
	if p := presetOf(s); p != nil && p.Answer != 0 {
		return p.Answer
	}
	return 202
}

func (p *Preset) eventType(r *reader) string {
	if p.typeOf != nil {
		return p.typeOf(r)
	}
	return r.at(p.EventTypeLocation)
}

// presetAliases are other names for a scheme, with the title of the service.
var presetAliases = map[string]string{
	"svix":              "standard_webhooks",
	"clerk":             "standard_webhooks",
	"resend":            "standard_webhooks",
	"standard-webhooks": "standard_webhooks",
	"twitter":           "x",
	"facebook":          "meta",
}

var presetIndex = func() map[string]*Preset {
	index := make(map[string]*Preset, len(presets)+len(presetAliases))
	for i := range presets {
		index[presets[i].Name] = &presets[i]
	}
	for alias, name := range presetAliases {
		index[alias] = index[name]
	}
	return index
}()

var presets = []Preset{
	{
		Name: "adyen", Title: "Adyen", verify: verifyAdyen, checkKey: keyError(adyenKey),
		EventTypeLocation: "request.body.notificationItems.0.NotificationRequestItem.eventCode",
		IdempotencyKeys: []string{
			"request.body.notificationItems.#.NotificationRequestItem.pspReference", "request.body.notificationItems.#.NotificationRequestItem.eventCode",
		},
		Note: "Customer Area, Developers, Webhooks: generate the HMAC key (hexadecimal) of the webhook.",
	},
	{
		Name: "bitbucket", Title: "Bitbucket Cloud", verify: hashOfBody{"X-Hub-Signature", "sha256=", hexSHA256}.verify,
		EventTypeLocation: "request.header.X-Event-Key",
		IdempotencyKeys:   []string{"request.header.X-Request-UUID"},
		Note:              "Repository settings, Webhooks: the secret that you entered for the webhook.",
	},
	{
		Name: "convoy", Title: "Convoy", verify: timedList{"X-Convoy-Signature", ",", "t", "v1", ","}.verify,
		EventTypeLocation: "request.body.event_type",
		IdempotencyKeys:   []string{"request.header.X-Convoy-Idempotency-Key"},
		Note:              "The endpoint's secret in Convoy, with advanced signatures and hexadecimal encoding.",
	},
	{
		Name: "discord", Title: "Discord", verify: verifyDiscord, checkKey: keyError(discordKey),
		EventTypeLocation: "request.body.event.type",
		Note:              "Developer Portal, your application, General Information: the public key.",
	},
	{
		Name: "dropbox", Title: "Dropbox", verify: hashOfBody{"X-Dropbox-Signature", "", hexSHA256}.verify,
		Note: "App Console, your app, Settings: the app secret.",
	},
	{
		Name: "github", Title: "GitHub", verify: hashOfBody{"X-Hub-Signature-256", "sha256=", hexSHA256}.verify,
		EventTypeLocation: "request.header.X-GitHub-Event",
		IdempotencyKeys:   []string{"request.header.X-GitHub-Delivery"},
		Note:              "Repository or organisation settings, Webhooks: the secret that you entered for the webhook.",
	},
	{
		Name: "gitlab", Title: "GitLab", verify: verifyGitLab, credential: gitLabHeader, checkKey: checkGitLabKey, Weak: true,
		EventTypeLocation: "request.header.X-Gitlab-Event",
		IdempotencyKeys:   []string{"request.header.Idempotency-Key"},
		Note:              "Settings, Webhooks: the secret token, or the signing token (whsec_…), which is the safer of the two.",
	},
	{
		Name: "hubspot", Title: "HubSpot", verify: verifyHubSpot, Weak: true, SignsURL: true,
		EventTypeLocation: "request.body.0.subscriptionType",
		IdempotencyKeys:   []string{"request.body.#.eventId"},
		Note:              "Your app, Auth: the client secret.",
	},
	{
		Name: "intercom", Title: "Intercom", verify: hashOfBody{"X-Hub-Signature", "sha1=", hexSHA1}.verify,
		EventTypeLocation: "request.body.topic",
		IdempotencyKeys:   []string{"request.body.id"},
		Note:              "Developer Hub, your app, Basic information: the client secret.",
	},
	{
		Name: "linear", Title: "Linear", verify: verifyLinear,
		EventTypeLocation: "request.body.type", typeOf: linearType,
		IdempotencyKeys: []string{"request.header.Linear-Delivery"},
		Note:            "Settings, API, the webhook: its signing secret.",
	},
	{
		Name: "mailgun", Title: "Mailgun", verify: verifyMailgun, once: mailgunToken, Weak: true, Answer: 200,
		EventTypeLocation: "request.body.event-data.event",
		IdempotencyKeys:   []string{"request.body.event-data.id"},
		Note:              "Sending, Webhooks: the HTTP webhook signing key.",
	},
	{
		Name: "meta", Title: "Meta", verify: hashOfBody{"X-Hub-Signature-256", "sha256=", hexSHA256}.verify,
		EventTypeLocation: "request.body.object",
		Note:              "App Dashboard, App settings, Basic: the app secret.",
	},
	{
		Name: "paddle", Title: "Paddle", verify: timedList{"Paddle-Signature", ";", "ts", "h1", ":"}.verify,
		EventTypeLocation: "request.body.event_type",
		IdempotencyKeys:   []string{"request.body.event_id"},
		Note:              "Developer tools, Notifications, the destination: its secret key (pdl_ntfset_…).",
	},
	{
		Name: "pagerduty", Title: "PagerDuty", verify: verifyPagerDuty,
		EventTypeLocation: "request.body.event.event_type",
		IdempotencyKeys:   []string{"request.body.event.id"},
		Note:              "Shown once when the webhook subscription is made.",
	},
	{
		Name: "sendgrid", Title: "SendGrid", verify: verifySendGrid, checkKey: keyError(sendGridKey),
		EventTypeLocation: "request.body.0.event",
		IdempotencyKeys:   []string{"request.body.#.sg_event_id"},
		Note:              "Settings, Mail settings, Event webhook, Signature verification: the public key (base64).",
	},
	{
		Name: "shopify", Title: "Shopify", verify: verifyShopify,
		EventTypeLocation: "request.header.Shopify-Topic", typeOf: shopifyType,
		IdempotencyKeys: []string{"request.header.Shopify-Webhook-Id", "request.header.X-Shopify-Webhook-Id"},
		Note:            "Your app's client secret, or the key shown under Settings, Notifications, Webhooks.",
	},
	{
		Name: "slack", Title: "Slack", verify: timedHash{"X-Slack-Signature", "X-Slack-Request-Timestamp"}.verify,
		EventTypeLocation: "request.body.event.type",
		IdempotencyKeys:   []string{"request.body.event_id"},
		Note:              "Your app, Basic Information, App Credentials: the signing secret.",
	},
	{
		Name: "square", Title: "Square", verify: verifySquare, SignsURL: true,
		EventTypeLocation: "request.body.type",
		IdempotencyKeys:   []string{"request.body.event_id"},
		Note:              "Developer Console, your application, Webhooks, the subscription: its signature key.",
	},
	{
		Name: "standard_webhooks", Title: "Standard Webhooks (Svix, Clerk, Resend and others)", verify: verifyStandard, checkKey: checkStandardKey,
		EventTypeLocation: "request.body.type", typeOf: standardType,
		IdempotencyKeys: []string{"request.header.webhook-id", "request.header.svix-id"},
		Note:            "The sender's signing secret (whsec_…), or its public key (whpk_…).",
	},
	{
		Name: "stripe", Title: "Stripe", verify: timedList{"Stripe-Signature", ",", "t", "v1", "."}.verify,
		EventTypeLocation: "request.body.type",
		IdempotencyKeys:   []string{"request.body.id"},
		Note:              "Developers, Webhooks, the endpoint: its signing secret (whsec_…).",
	},
	{
		Name: "twilio", Title: "Twilio", verify: verifyTwilio, SignsURL: true,
		IdempotencyKeys: []string{"request.header.I-Twilio-Idempotency-Token"},
		Note:            "Console, Account info: the auth token.",
	},
	{
		Name: "typeform", Title: "Typeform", verify: hashOfBody{"Typeform-Signature", "sha256=", base64SHA256}.verify,
		EventTypeLocation: "request.body.event_type",
		IdempotencyKeys:   []string{"request.body.event_id"},
		Note:              "The form's Connect, Webhooks, Edit: the secret that you entered.",
	},
	{
		Name: "x", Title: "X", verify: hashOfBody{"x-twitter-webhooks-signature", "sha256=", base64SHA256}.verify,
		typeOf: xType,
		Note:   "Developer Portal, your app, Keys and tokens: the API key secret (consumer secret).",
	},
	{
		Name: "zoom", Title: "Zoom", verify: timedHash{"x-zm-signature", "x-zm-request-timestamp"}.verify,
		EventTypeLocation: "request.body.event",
		Note:              "App Marketplace, your app, Feature: the secret token.",
	},
}

// linearType is the kind of thing and what was done to it: Issue.create.
func linearType(r *reader) string {
	kind, action := r.at("request.body.type"), r.at("request.body.action")
	if kind == "" || action == "" {
		return kind
	}
	return kind + "." + action
}

// shopifyType takes the older name of the header too.
func shopifyType(r *reader) string {
	if t := r.at("request.header.Shopify-Topic"); t != "" {
		return t
	}
	return r.at("request.header.X-Shopify-Topic")
}

// standardType takes the older name of the field too, which Svix used.
func standardType(r *reader) string {
	if t := r.at("request.body.type"); t != "" {
		return t
	}
	return r.at("request.body.event_type")
}

// xType is the first key of the payload that names events:
// tweet_create_events.
func xType(r *reader) string {
	var found string
	r.root().ForEach(func(key, _ gjson.Result) bool {
		if strings.HasSuffix(key.Str, "_events") || strings.HasSuffix(key.Str, "_event") {
			found = key.Str
		}
		return found == ""
	})
	return found
}
