package handlers

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/reprise-dev/reprise/relay"
)

// headerMap writes headers as an object of lists, in the order and letter case
// in which they came; what came more than once is one list.
func headerMap(headers relay.Headers) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	seen := make(map[string]bool, len(headers))
	for _, h := range headers {
		fold := strings.ToLower(h.Name)
		if seen[fold] {
			continue
		}
		if len(seen) > 0 {
			b.WriteByte(',')
		}
		seen[fold] = true
		writeJSON(&b, h.Name)
		b.WriteByte(':')
		writeJSON(&b, headers.Values(h.Name))
	}
	b.WriteByte('}')
	return b.Bytes()
}

func writeJSON(b *bytes.Buffer, v any) {
	text, err := json.Marshal(v)
	if err != nil { // strings always marshal
		panic(err)
	}
	b.Write(text)
}
