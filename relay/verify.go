package relay

import (
	"encoding/base64"
	"strings"
	"time"
)

// Verify judges whether a request comes from whom the verifier expects. It
// reads the raw bytes, compares in constant time and fails closed. PublicURL
// is the source's URL as the provider knows it, without a query; only schemes
// that sign the URL need it. Freshness is judged against now, so that a
// request is judged once, when it comes in.
func Verify(v Verifier, now time.Time, p *Payload, publicURL string) Verdict {
	switch v.Type {
	case VerifierNoop:
		return VerdictUnverified
	case VerifierHMAC:
		return v.HMAC.verify(p)
	case VerifierBasicAuth:
		return v.BasicAuth.verify(p)
	case VerifierAPIKey:
		return v.APIKey.verify(p)
	}
	preset := findPreset(v.Type)
	if preset == nil {
		return VerdictUnknownVerifier
	}
	if v.Secret == "" {
		return VerdictNoSecret
	}
	return preset.verify(&inbound{secret: v.Secret, now: now, p: p, url: publicURL})
}

func (v *HMACVerifier) verify(p *Payload) Verdict {
	if v == nil || v.Secret == "" {
		return VerdictNoSecret
	}
	d, ok := digestFor(v.Hash, v.Encoding)
	if !ok {
		return VerdictUnknownVerifier
	}
	in := inbound{secret: v.Secret, p: p}
	return hashOfBody{v.Header, v.Prefix, d}.verify(&in)
}

func (v *BasicAuthVerifier) verify(p *Payload) Verdict {
	if v == nil || v.Username == "" || v.Password == "" {
		return VerdictNoSecret
	}
	given := p.Headers.Get("Authorization")
	if given == "" {
		return VerdictMissingHeader
	}
	const scheme = "basic "
	if !hasPrefixFold(given, scheme) {
		return VerdictMalformedHeader
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(given[len(scheme):]))
	if err != nil {
		return VerdictMalformedHeader
	}
	// Only the password may contain a colon.
	user, password, ok := strings.Cut(string(plain), ":")
	if !ok {
		return VerdictMalformedHeader
	}
	sameUser, samePassword := sameSecret(user, v.Username), sameSecret(password, v.Password)
	return verdictOf(sameUser && samePassword)
}

func (v *APIKeyVerifier) verify(p *Payload) Verdict {
	if v == nil || v.HeaderName == "" || v.HeaderValue == "" {
		return VerdictNoSecret
	}
	return verifyToken(p, v.HeaderName, v.HeaderValue)
}

func verifyToken(p *Payload, header, secret string) Verdict {
	given := p.Headers.Get(header)
	if given == "" {
		return VerdictMissingHeader
	}
	return verdictOf(sameSecret(given, secret))
}
