package relay

import (
	"net/url"
	"slices"
	"strings"
)

// Mask stands for what is not shown.
const Mask = "••••"

// MaskSecret shows as much of a secret as people need to recognise it:
// "whsec_ab…yz".
func MaskSecret(s string) string {
	if s == "" {
		return ""
	}
	prefix, rest := "", s
	if i := strings.IndexByte(s, '_'); i > 0 && i <= 8 {
		prefix, rest = s[:i+1], s[i+1:]
	}
	if len(rest) < 16 {
		return prefix + Mask
	}
	return prefix + rest[:2] + "…" + rest[len(rest)-2:]
}

// MaskURL shows of a URL that is a secret, as those of chat services are, only
// where it leads.
func MaskURL(s string) string {
	u, err := url.Parse(s)
	if s == "" || err != nil {
		return MaskSecret(s)
	}
	return u.Scheme + "://" + u.Host + "/" + Mask
}

// secretWords are in the names that people give to headers with credentials.
var secretWords = [...]string{"authorization", "cookie", "token", "secret", "password", "passwd", "api-key", "apikey", "access-key", "credential"}

// IsSecretHeader reports whether a header by its name carries a credential.
// Tokens that only tell one request from another are none.
func IsSecretHeader(name string) bool {
	for i := range len(name) {
		switch lower(name[i]) {
		case 'a', 'c', 't', 's', 'p':
			for _, word := range secretWords {
				if hasPrefixFold(name[i:], word) {
					return !hasSuffixFold(name, "idempotency-token")
				}
			}
		}
	}
	return false
}

// RedactHeaders masks the values of headers that carry credentials, and of
// those that the caller names besides. It leaves the input as it is.
func RedactHeaders(h Headers, also ...string) Headers {
	out := make(Headers, len(h))
	for i, line := range h {
		if IsSecretHeader(line.Name) || containsFold(also, line.Name) {
			line.Value = redactValue(line.Value)
		}
		out[i] = line
	}
	return out
}

// Redacted is a payload as people and programs may see it: without the
// credentials that its sender proved itself by, be it to its source as it was
// when the request came in or as it is now. src may be nil.
func (p Payload) Redacted(src *Source) Payload {
	p.Credentials = p.CredentialsOf(src)
	p.Headers = RedactHeaders(p.Headers, p.Credentials...)
	return p
}

// CredentialsOf names the headers that carry the secret of a payload's source,
// be it as it was when the request came in or as it is now. src may be nil.
func (p *Payload) CredentialsOf(src *Source) []string {
	if src == nil {
		return p.Credentials
	}
	return append(slices.Clone(p.Credentials), src.Verifier.CredentialHeaders()...)
}

// CredentialHeaders are the headers in which a sender shows the secret itself,
// rather than a signature made with it.
func (v *Verifier) CredentialHeaders() []string {
	switch {
	case v.Type == VerifierBasicAuth:
		return []string{"Authorization"}
	case v.Type == VerifierAPIKey && v.APIKey != nil:
		return []string{v.APIKey.HeaderName}
	}
	if preset := findPreset(v.Type); preset != nil && preset.credential != "" {
		return []string{preset.credential}
	}
	return nil
}

// redactValue keeps the name of the authentication scheme.
func redactValue(v string) string {
	scheme, rest, ok := strings.Cut(v, " ")
	if ok && rest != "" && (equalFold(scheme, "basic") || equalFold(scheme, "bearer")) {
		return scheme + " " + Mask
	}
	return Mask
}
