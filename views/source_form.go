package views

import "github.com/reprise-dev/reprise/relay"

var sourceTypes = []Option{
	{string(relay.SourceHTTP), "A provider posts to the ingest URL"},
	{string(relay.SourceRESTAPI), "Programs publish with POST /api/v1/events"},
}

var hashOptions = []Option{{"sha256", "SHA-256"}, {"sha512", "SHA-512"}, {"sha1", "SHA-1"}}

var encodingOptions = []Option{{"hex", "hexadecimal"}, {"base64", "Base64"}}

// plainVerifiers are the verifiers that are not of one provider.
var plainVerifiers = []struct{ Name, Title, Note string }{
	{relay.VerifierHMAC, "HMAC", "A keyed hash of the body, in a header of your choice."},
	{relay.VerifierAPIKey, "API key", "A fixed value in a header."},
	{relay.VerifierBasicAuth, "Basic auth", "A user name and a password in the URL that you give the provider."},
	{relay.VerifierNoop, "No check", "Every request is taken."},
}

func presetNote(p relay.Preset) string {
	note := p.Note
	if p.SignsURL {
		note += " It signs the URL too: register exactly the ingest URL that is shown here."
	}
	if p.Weak {
		note += " This scheme does not cover the whole request."
	}
	return note
}

// chosenVerifier is the tile to tick: an alias of a preset ticks the preset.
func chosenVerifier(f SourceForm) string {
	if p, ok := relay.PresetFor(f.VerifierType); ok {
		return p.Name
	}
	return or(f.VerifierType, relay.VerifierHMAC)
}

func verifierTitle(name string) string {
	for _, v := range plainVerifiers {
		if v.Name == name {
			return v.Title
		}
	}
	if p, ok := relay.PresetFor(name); ok {
		return shortTitle(p.Title)
	}
	return name
}

// shortTitle leaves out what stands in brackets.
func shortTitle(title string) string {
	for i, r := range title {
		if r == '(' {
			return title[:max(i-1, 0)]
		}
	}
	return title
}

func providerTitle(s *relay.Source) string {
	if p, ok := relay.PresetFor(or(s.Provider, s.Verifier.Type)); ok {
		return p.Title
	}
	return ""
}

// secretEntry is a field for a secret: never filled with the stored one.
func secretEntry(f SourceForm, label, name, value string) entry {
	e := entry{Label: label, Name: name, Value: value, Type: "password", Auto: "new-password", Code: true, Errors: f.Errors}
	if f.SecretSet {
		e.Placeholder, e.Hint = "••••••••", "One is stored. Leave this empty to keep it."
	}
	return e
}

func sourceFormURL(f SourceForm) string {
	if f.ID.IsZero() {
		return "/sources"
	}
	return sourceURL(f.ID)
}

func pasteHint(s *relay.Source) string {
	if t := providerTitle(s); t != "" {
		return "Enter it at " + shortTitle(t) + " as the URL of the webhook."
	}
	return "Enter it at the provider as the URL of the webhook. POST, PUT and PATCH are taken, with any body."
}

func createSourceCurl(publicURL string) string {
	return "curl " + shellQuote(publicURL+"/api/v1/sources") + " \\\n  -H 'Authorization: Bearer rp_…' \\\n  -H 'Content-Type: application/json' \\\n" +
		`  -d '{"name":"GitHub","slug":"github","type":"http","verifier":{"type":"github","secret":"…"}}'`
}

func publishCurl(publicURL string, id relay.ID) string {
	return "curl " + shellQuote(publicURL+"/api/v1/events") + " \\\n  -H 'Authorization: Bearer rp_…' \\\n  -H 'Content-Type: application/json' \\\n" +
		`  -d '{"event_type":"hello.world","data":{"greeting":"hello"},"source_id":"` + sourceID(id) + `"}'`
}
