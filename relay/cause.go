package relay

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode"
)

// causeBytes is how much of an answer tells its shape.
const causeBytes = 512

// Cause is a fingerprint of why an attempt failed, the same for failures that
// look alike: the outcome, or the status and the shape of the answer, in which
// numbers and ids do not count. It is empty for a success.
func Cause(outcome Outcome, status int, answer []byte) string {
	if outcome == OutcomeSuccess {
		return ""
	}
	if status == 0 {
		return string(outcome)
	}
	cause := "http_" + strconv.Itoa(status)
	shape := shapeOf(answer[:min(len(answer), causeBytes)])
	if shape == "" {
		return cause
	}
	sum := sha256.Sum256([]byte(shape))
	return cause + "_" + hex.EncodeToString(sum[:4])
}

// shapeOf keeps the words of a text that hold no digit, in order.
func shapeOf(answer []byte) string {
	words := strings.FieldsFunc(strings.ToLower(strings.ToValidUTF8(string(answer), " ")), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-'
	})
	kept := words[:0]
	for i, w := range words {
		if strings.ContainsFunc(w, unicode.IsDigit) || i == len(words)-1 && len(answer) == causeBytes {
			continue // an id or a number, or cut off
		}
		kept = append(kept, w)
	}
	return strings.Join(kept, " ")
}
