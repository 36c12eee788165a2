package relay

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Standard Webhooks, https://www.standardwebhooks.com: an HMAC-SHA256 of
// "id.timestamp.body" under a secret of 24 to 64 bytes.
const (
	secretPrefix    = "whsec_"
	minSecretBytes  = 24
	maxSecretBytes  = 64
	signaturePrefix = "v1,"
)

var errSecret = errors.New("a secret must be whsec_ followed by the base64 of 24 to 64 bytes")

// NewSecret makes a signing secret.
func NewSecret() string {
	var key [32]byte
	rand.Read(key[:])
	return secretPrefix + base64.StdEncoding.EncodeToString(key[:])
}

// CheckSecret tells what is wrong with a signing secret.
func CheckSecret(s string) error {
	if !strings.HasPrefix(s, secretPrefix) {
		return errSecret
	}
	_, err := secretKey(nil, s)
	return err
}

// secretKey appends the bytes of a signing secret to buf.
func secretKey(buf []byte, s string) ([]byte, error) {
	s = strings.TrimPrefix(s, secretPrefix)
	if len(s) > base64.StdEncoding.EncodedLen(maxSecretBytes) {
		return nil, errSecret
	}
	key, err := base64.StdEncoding.AppendDecode(buf, []byte(s))
	if err != nil || len(key) < minSecretBytes || len(key) > maxSecretBytes {
		return nil, errSecret
	}
	return key, nil
}

// Sign makes one signature for the webhook-signature header.
func Sign(secret string, id string, at time.Time, body []byte) (string, error) {
	sig, err := appendSignature(nil, secret, signedHead(id, at), body)
	if err != nil {
		return "", fmt.Errorf("relay: sign %s: %w", id, err)
	}
	return string(sig), nil
}

// SignAll makes the value of the webhook-signature header: a signature by each
// secret that has not expired. It is empty if no secret can sign.
func SignAll(secrets []Secret, now time.Time, id string, body []byte) string {
	head := signedHead(id, now)
	var out []byte
	for i := range secrets {
		if secrets[i].Expired(now) {
			continue
		}
		mark := len(out)
		if mark > 0 {
			out = append(out, ' ')
		}
		signed, err := appendSignature(out, secrets[i].Value, head, body)
		if err != nil {
			out = out[:mark]
			continue
		}
		out = signed
	}
	return string(out)
}

// Expired reports whether the secret no longer signs.
func (s Secret) Expired(now time.Time) bool {
	return !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt)
}

func signedHead(id string, at time.Time) []byte {
	head := make([]byte, 0, len(id)+22)
	head = append(append(head, id...), '.')
	return append(strconv.AppendInt(head, at.Unix(), 10), '.')
}

func appendSignature(out []byte, secret string, head, body []byte) ([]byte, error) {
	var keyBuf [maxSecretBytes + 2]byte
	key, err := secretKey(keyBuf[:0], secret)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(head)
	mac.Write(body)
	var sum [sha256.Size]byte
	out = append(out, signaturePrefix...)
	return base64.StdEncoding.AppendEncode(out, mac.Sum(sum[:0])), nil
}
