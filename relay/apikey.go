package relay

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

const keyPrefix = "rp_"

// NewAPIKey makes the text of an API key: rp_ and 32 random bytes.
func NewAPIKey() string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails since Go 1.24
	return keyPrefix + base64.RawURLEncoding.EncodeToString(random[:])
}

// HashAPIKey is what is stored of an API key. A key is as random as its hash,
// so a slow hash would protect nothing.
func HashAPIKey(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}

// HintAPIKey shows enough of an API key to recognise it.
func HintAPIKey(key string) string {
	const head, tail = 7, 4
	if len(key) < 2*(head+tail) {
		return "…"
	}
	return key[:head] + "…" + key[len(key)-tail:]
}
