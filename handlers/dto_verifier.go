package handlers

import (
	"github.com/reprise-dev/reprise/relay"
)

// verifierIn is a verifier in a request. The settings of a type may stand in
// an object of its own ("hmac": {…}) or beside the type. What is left out
// stays as it was, as long as the type does.
type verifierIn struct {
	Type      opt[string]    `json:"type"`
	HMAC      opt[hmacIn]    `json:"hmac"`
	BasicAuth opt[basicIn]   `json:"basic_auth"`
	APIKey    opt[apiKeyIn]  `json:"api_key"`
	Secret    opt[secretVal] `json:"secret"`

	Header   opt[string] `json:"header"`
	Hash     opt[string] `json:"hash"`
	Encoding opt[string] `json:"encoding"`
	Prefix   opt[string] `json:"prefix"`

	Username opt[string]    `json:"username"`
	Password opt[secretVal] `json:"password"`

	HeaderName  opt[string]    `json:"header_name"`
	HeaderValue opt[secretVal] `json:"header_value"`
}

type hmacIn struct {
	Header   opt[string]    `json:"header"`
	Hash     opt[string]    `json:"hash"`
	Secret   opt[secretVal] `json:"secret"`
	Encoding opt[string]    `json:"encoding"`
	Prefix   opt[string]    `json:"prefix"`
}

type basicIn struct {
	Username opt[string]    `json:"username"`
	Password opt[secretVal] `json:"password"`
}

type apiKeyIn struct {
	HeaderName  opt[string]    `json:"header_name"`
	HeaderValue opt[secretVal] `json:"header_value"`
}

// secretVal is a secret in a request. What an answer showed masked may come
// back: it means the secret that it stands for.
type secretVal string

func changeSecret(in opt[secretVal], target *string) {
	if in.has() && (*target == "" || string(in.Value) != relay.MaskSecret(*target)) {
		*target = string(in.Value)
	}
	if in.Null {
		*target = ""
	}
}

// apply writes a verifier over one that exists. provider is the source's: it
// stands in for a type that is not given.
func (in *verifierIn) apply(v *relay.Verifier, provider string) {
	kind := v.Type
	switch {
	case in.Type.has():
		kind = in.Type.Value
	case (kind == "" || kind == relay.VerifierNoop) && provider != "" && in.Secret.has():
		kind = provider
	}
	if kind == "" {
		kind = relay.VerifierNoop
	}
	if kind != v.Type {
		*v = relay.Verifier{Type: kind}
	}
	switch kind {
	case relay.VerifierNoop:
	case relay.VerifierHMAC:
		in.applyHMAC(v)
	case relay.VerifierBasicAuth:
		if v.BasicAuth == nil {
			v.BasicAuth = &relay.BasicAuthVerifier{}
		}
		copied := *v.BasicAuth
		in.BasicAuth.Value.apply(&copied)
		(&basicIn{in.Username, in.Password}).apply(&copied)
		v.BasicAuth = &copied
	case relay.VerifierAPIKey:
		if v.APIKey == nil {
			v.APIKey = &relay.APIKeyVerifier{}
		}
		copied := *v.APIKey
		in.APIKey.Value.apply(&copied)
		(&apiKeyIn{in.HeaderName, in.HeaderValue}).apply(&copied)
		v.APIKey = &copied
	default:
		changeSecret(in.Secret, &v.Secret)
	}
}

func (in *verifierIn) applyHMAC(v *relay.Verifier) {
	h := relay.HMACVerifier{Hash: "sha256", Encoding: "hex"}
	if v.HMAC != nil {
		h = *v.HMAC
	}
	for _, part := range []hmacIn{in.HMAC.Value, {in.Header, in.Hash, in.Secret, in.Encoding, in.Prefix}} {
		part.Header.change(&h.Header, "")
		part.Hash.change(&h.Hash, "sha256")
		part.Encoding.change(&h.Encoding, "hex")
		part.Prefix.change(&h.Prefix, "")
		changeSecret(part.Secret, &h.Secret)
	}
	v.HMAC = &h
}

func (in *basicIn) apply(b *relay.BasicAuthVerifier) {
	in.Username.change(&b.Username, "")
	changeSecret(in.Password, &b.Password)
}

func (in *apiKeyIn) apply(k *relay.APIKeyVerifier) {
	in.HeaderName.change(&k.HeaderName, "")
	changeSecret(in.HeaderValue, &k.HeaderValue)
}

// maskedVerifier is a verifier as answers show it.
func maskedVerifier(v relay.Verifier) relay.Verifier {
	out := relay.Verifier{Type: v.Type, Secret: relay.MaskSecret(v.Secret)}
	if v.HMAC != nil {
		h := *v.HMAC
		h.Secret = relay.MaskSecret(h.Secret)
		out.HMAC = &h
	}
	out.BasicAuth, out.APIKey = maskedBasic(v.BasicAuth), maskedAPIKey(v.APIKey)
	return out
}

func maskedBasic(b *relay.BasicAuthVerifier) *relay.BasicAuthVerifier {
	if b == nil {
		return nil
	}
	return &relay.BasicAuthVerifier{Username: b.Username, Password: relay.MaskSecret(b.Password)}
}

func maskedAPIKey(k *relay.APIKeyVerifier) *relay.APIKeyVerifier {
	if k == nil {
		return nil
	}
	return &relay.APIKeyVerifier{HeaderName: k.HeaderName, HeaderValue: relay.MaskSecret(k.HeaderValue)}
}
