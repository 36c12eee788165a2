package relay

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

const publicKeyPrefix = "whpk_"

// verifyStandard speaks Standard Webhooks and Svix, which differ only in the
// names of the headers. The form of the key decides the version of the
// signature: a secret takes v1, a public key takes v1a.
func verifyStandard(in *inbound) Verdict {
	h := in.p.Headers
	id, at, given := h.Get("webhook-id"), h.Get("webhook-timestamp"), h.Get("webhook-signature")
	if given == "" {
		id, at, given = h.Get("svix-id"), h.Get("svix-timestamp"), h.Get("svix-signature")
	}
	if id == "" || at == "" || given == "" {
		return VerdictMissingHeader
	}
	version, isPublic := "v1", strings.HasPrefix(in.secret, publicKeyPrefix)
	if isPublic {
		version = "v1a"
	}
	sigs := standardSignatures(given, version)
	if len(sigs) == 0 {
		return VerdictMalformedHeader
	}
	head := []byte(id + "." + at + ".")
	var verdict Verdict
	if isPublic {
		key, err := standardPublicKey(in.secret)
		if err != nil {
			return VerdictNoSecret
		}
		verdict = matchEd25519(key, sigs, append(head, in.p.Body...))
	} else {
		key, err := standardKey(in.secret)
		if err != nil {
			return VerdictNoSecret
		}
		verdict = base64SHA256.hmac(sigs, key, head, in.p.Body)
	}
	return in.andFresh(verdict, at, time.Second, tolerance)
}

// standardSignatures picks those of one version from "v1,… v1a,…".
func standardSignatures(header, version string) []string {
	var sigs []string
	for entry := range strings.FieldsSeq(header) {
		if v, sig, ok := strings.Cut(entry, ","); ok && v == version {
			if sigs = append(sigs, sig); len(sigs) == maxSignatures {
				break
			}
		}
	}
	return sigs
}

var errKey = errors.New("relay: not a usable key")

// standardKey is generous as to the length: what others chose is theirs.
func standardKey(secret string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || len(key) == 0 {
		return nil, errKey
	}
	return key, nil
}

func standardPublicKey(secret string) (ed25519.PublicKey, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, publicKeyPrefix))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, errKey
	}
	return key, nil
}

func matchEd25519(key ed25519.PublicKey, given []string, message []byte) Verdict {
	verdict := VerdictMalformedHeader
	for _, s := range given {
		sig, err := base64.StdEncoding.DecodeString(s)
		if err != nil || len(sig) != ed25519.SignatureSize {
			continue
		}
		if ed25519.Verify(key, message, sig) {
			return VerdictValid
		}
		verdict = VerdictBadSignature
	}
	return verdict
}

func verifyDiscord(in *inbound) Verdict {
	given, at := in.p.Headers.Get("X-Signature-Ed25519"), in.p.Headers.Get("X-Signature-Timestamp")
	if given == "" || at == "" {
		return VerdictMissingHeader
	}
	key, err := discordKey(in.secret)
	if err != nil {
		return VerdictNoSecret
	}
	sig, err := hex.DecodeString(given)
	if err != nil || len(sig) != ed25519.SignatureSize {
		return VerdictMalformedHeader
	}
	verdict := verdictOf(ed25519.Verify(key, append([]byte(at), in.p.Body...), sig))
	return in.andFresh(verdict, at, time.Second, tolerance)
}

func discordKey(secret string) (ed25519.PublicKey, error) {
	key, err := hex.DecodeString(secret)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, errKey
	}
	return key, nil
}

func verifySendGrid(in *inbound) Verdict {
	const header = "X-Twilio-Email-Event-Webhook-"
	given, at := in.p.Headers.Get(header+"Signature"), in.p.Headers.Get(header+"Timestamp")
	if given == "" || at == "" {
		return VerdictMissingHeader
	}
	key, err := sendGridKey(in.secret)
	if err != nil {
		return VerdictNoSecret
	}
	sig, err := base64.StdEncoding.DecodeString(given)
	if err != nil {
		return VerdictMalformedHeader
	}
	sum := sha256.New()
	sum.Write([]byte(at))
	sum.Write(in.p.Body)
	verdict := verdictOf(ecdsa.VerifyASN1(key, sum.Sum(nil), sig))
	return in.andFresh(verdict, at, time.Second, tolerance)
}

func sendGridKey(secret string) (*ecdsa.PublicKey, error) {
	der, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		return nil, errKey
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errKey
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok {
		return nil, errKey
	}
	return key, nil
}

func keyError[K any](parse func(string) (K, error)) func(string) error {
	return func(secret string) error {
		_, err := parse(secret)
		return err
	}
}

func checkStandardKey(secret string) error {
	if strings.HasPrefix(secret, publicKeyPrefix) {
		_, err := standardPublicKey(secret)
		return err
	}
	_, err := standardKey(secret)
	return err
}

// checkGitLabKey takes any token, but not a broken signing token.
func checkGitLabKey(secret string) error {
	if strings.HasPrefix(secret, secretPrefix) {
		return checkStandardKey(secret)
	}
	return nil
}
