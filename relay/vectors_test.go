package relay

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

type vector struct {
	ID       string
	Provider string
	Scheme   string
	Secret   string
	Valid    bool
	Now      int64
	Request  struct {
		Method  string
		Headers map[string]string
		URL     string
		Body    string `json:"body_base64"`
	}
}

// The vectors that no verifier is meant for: signing of HTTP messages, and SNS,
// whose certificate has to be fetched.
var otherVectors = map[string]bool{"rfc9421-b25-hmac": true, "sns-notification-v1": true}

func readVectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile("testdata/provider_vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	return file.Vectors
}

func (v vector) verifier() Verifier {
	if v.Scheme == "hmac" {
		return Verifier{Type: VerifierHMAC, HMAC: &HMACVerifier{
			Header: "X-Signature", Hash: "SHA1", Secret: v.Secret, Encoding: "hex", Prefix: "sha1=",
		}}
	}
	return Verifier{Type: v.Provider, Secret: v.Secret}
}

func (v vector) payload(t testing.TB) (p *Payload, publicURL string) {
	t.Helper()
	body, err := base64.StdEncoding.DecodeString(v.Request.Body)
	if err != nil {
		t.Fatal(err)
	}
	publicURL, query, _ := strings.Cut(v.Request.URL, "?")
	p = &Payload{Method: v.Request.Method, Query: query, Body: body}
	for name, value := range v.Request.Headers {
		p.Headers = append(p.Headers, Header{name, value})
	}
	return p, publicURL
}

func (v vector) now() time.Time {
	if v.Now == 0 {
		return time.Unix(1700000000, 0)
	}
	return time.Unix(v.Now, 0)
}

func TestVerifyVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t) {
		if otherVectors[v.ID] {
			continue
		}
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			p, publicURL := v.payload(t)
			verifier := v.verifier()
			if got := Verify(verifier, v.now(), p, publicURL); got.OK() != v.Valid {
				t.Errorf("as given: %s", got)
			}
			if v.Now != 0 {
				if got := Verify(verifier, v.now().Add(-10*time.Minute), p, publicURL); got != VerdictFutureTimestamp {
					t.Errorf("ten minutes before: %s", got)
				}
				if got := Verify(verifier, v.now().Add(20*time.Minute), p, publicURL); got != VerdictStaleTimestamp {
					t.Errorf("twenty minutes after: %s", got)
				}
			}

			other := verifier
			if other.HMAC != nil {
				hmac := *other.HMAC
				hmac.Secret = "another"
				other.HMAC = &hmac
			}
			other.Secret = "another"
			if got := Verify(other, v.now(), p, publicURL); got.OK() {
				t.Errorf("with another secret: %s", got)
			}
			other.Secret, other.HMAC = "", &HMACVerifier{}
			if got := Verify(other, v.now(), p, publicURL); got != VerdictNoSecret {
				t.Errorf("without a secret: %s", got)
			}

			bare := *p
			bare.Headers = nil
			if got := Verify(verifier, v.now(), &bare, publicURL); got.OK() != (v.Provider == "adyen") {
				t.Errorf("without headers: %s", got)
			}
			if v.Provider != "adyen" { // whose signature covers some fields only
				changed := *p
				changed.Body = append([]byte(" "), p.Body...)
				if got := Verify(verifier, v.now(), &changed, publicURL); got != VerdictBadSignature {
					t.Errorf("with a changed body: %s", got)
				}
			}
		})
	}
}
