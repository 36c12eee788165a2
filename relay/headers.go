package relay

import (
	"encoding/binary"
	"errors"
)

// Header is one header line. Its value may hold any bytes.
type Header struct {
	Name  string
	Value string
}

// Headers are header lines in the order and letter case in which they came.
type Headers []Header

// Get is the first value of a header, whatever the letter case of its name,
// and empty if there is none.
func (h Headers) Get(name string) string {
	v, _ := h.lookup(name)
	return v
}

func (h Headers) lookup(name string) (string, bool) {
	for i := range h {
		if equalFold(h[i].Name, name) {
			return h[i].Value, true
		}
	}
	return "", false
}

// Values are all values of a header in their order.
func (h Headers) Values(name string) []string {
	var values []string
	for i := range h {
		if equalFold(h[i].Name, name) {
			values = append(values, h[i].Value)
		}
	}
	return values
}

// EncodeHeaders writes headers as bytes that keep everything: each name and
// value follows its length as an unsigned varint.
func EncodeHeaders(h Headers) []byte {
	size := 0
	for i := range h {
		size += len(h[i].Name) + len(h[i].Value) + 2*binary.MaxVarintLen32
	}
	if size == 0 {
		return nil
	}
	b := make([]byte, 0, size)
	for i := range h {
		b = appendSized(b, h[i].Name)
		b = appendSized(b, h[i].Value)
	}
	return b
}

func appendSized(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errEncodedHeaders = errors.New("relay: these bytes are not encoded headers")

// DecodeHeaders reads what EncodeHeaders wrote.
func DecodeHeaders(b []byte) (Headers, error) {
	if len(b) == 0 {
		return nil, nil
	}
	// One copy of the bytes holds every name and value.
	text, at := string(b), 0
	next := func() (string, bool) {
		size, n := binary.Uvarint(b[at:])
		if n <= 0 || size > uint64(len(b)-at-n) {
			return "", false
		}
		start := at + n
		at = start + int(size)
		return text[start:at], true
	}
	h := make(Headers, 0, 16)
	for at < len(b) {
		name, ok := next()
		if !ok {
			return nil, errEncodedHeaders
		}
		value, ok := next()
		if !ok {
			return nil, errEncodedHeaders
		}
		h = append(h, Header{Name: name, Value: value})
	}
	return h, nil
}

// equalFold compares as HTTP does, folding ASCII letters only: Unicode
// folding would take the Kelvin sign for a k.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && equalFold(s[:len(prefix)], prefix)
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && equalFold(s[len(s)-len(suffix):], suffix)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// isToken reports whether s can be the name of a header (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !tokenBytes[s[i]] {
			return false
		}
	}
	return s != ""
}

var tokenBytes = func() (set [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		set[c] = true
	}
	return set
}()

// isFieldValue reports whether s can be sent as the value of a header.
func isFieldValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == 0x7f || c < ' ' && c != '\t' {
			return false
		}
	}
	return true
}
