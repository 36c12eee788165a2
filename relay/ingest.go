package relay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// Where in a request a value is found.
const (
	locationHeader = "request.header."
	locationBody   = "request.body."
	locationQuery  = "request.query."
)

// UnknownType is the type of events that do not tell theirs.
const UnknownType = "unknown"

const maxKey = 255 // bytes of an event type or an idempotency key

// EventType is the type of the event that a request to src is, from the first
// of these that gives one: the source's location, its preset, the header
// X-Event-Type, then "type", "event_type" or "event" of the body: of its object,
// the first element of its array, its form, or the JSON in a field of its form.
func EventType(src Source, p *Payload) string {
	r := reader{p: p}
	if src.EventTypeLocation != "" {
		if t := cleanType(r.at(src.EventTypeLocation)); t != "" {
			return t
		}
	} else if preset := presetOf(&src); preset != nil {
		if t := cleanType(preset.eventType(&r)); t != "" {
			return t
		}
	}
	if t := cleanType(p.Headers.Get("X-Event-Type")); t != "" {
		return t
	}
	for _, v := range r.usual("type", "event_type", "event") {
		if v.Type == gjson.String {
			if t := cleanType(v.Str); t != "" {
				return t
			}
		}
	}
	return UnknownType
}

// IdempotencyKey is what tells a request to src from a repetition of it: the
// values at the source's locations, or empty if none of them is there. A key
// that is too long or cannot be shown is replaced by a hash of it.
func IdempotencyKey(src Source, p *Payload) string {
	r := reader{p: p}
	var key string
	switch len(src.IdempotencyKeys) {
	case 0:
		return ""
	case 1:
		key = r.at(src.IdempotencyKeys[0])
	default:
		key = joinKey(&r, src.IdempotencyKeys)
	}
	if len(key) > maxKey || !isPlain(key) {
		sum := sha256.Sum256([]byte(key))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	return key
}

var keyEscaper = strings.NewReplacer(`\`, `\\`, `|`, `\|`)

func joinKey(r *reader, locations []string) string {
	var b strings.Builder
	found := false
	for i, location := range locations {
		if i > 0 {
			b.WriteByte('|')
		}
		v := r.at(location)
		found = found || v != ""
		keyEscaper.WriteString(&b, v)
	}
	if !found {
		return ""
	}
	return b.String()
}

// at is the value at a location, or empty. A path with # finds a value in every
// element of an array: all of them together, or empty if one has none.
func (r *reader) at(location string) string {
	if name, ok := strings.CutPrefix(location, locationHeader); ok {
		return r.p.Headers.Get(name)
	}
	if path, ok := strings.CutPrefix(location, locationBody); ok {
		v := r.body(path)
		if !strings.Contains(path, "#") || !v.IsArray() {
			return textOf(v)
		}
		var all []string
		for _, element := range v.Array() {
			if text := textOf(element); text != "" {
				all = append(all, text)
			}
		}
		if array, _, _ := strings.Cut(path, "#"); len(all) != len(r.body(strings.TrimSuffix(array, ".")).Array()) {
			return "" // one element has none
		}
		return strings.Join(all, ",")
	}
	if name, ok := strings.CutPrefix(location, locationQuery); ok {
		return queryValue(r.p.Query, name)
	}
	return ""
}

// textOf is a plain value as text.
func textOf(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return v.Str
	case gjson.Number, gjson.True, gjson.False:
		return v.Raw
	}
	return ""
}

// plainPath takes from the characters of a path the meaning that gjson's query
// language gives them.
func plainPath(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == "" && !strings.Contains(path, "..") {
		return path
	}
	names := strings.Split(path, ".")
	for i, name := range names {
		if name != "#" {
			names[i] = gjson.Escape(name)
		}
	}
	return strings.TrimLeft(strings.Join(names, "."), ".")
}

// maxDepth bounds the nesting of bodies that are looked into. gjson validates
// by recursion, and five million brackets would overflow the stack.
const maxDepth = 512

func shallow(body []byte) bool {
	if bytes.Count(body, []byte{'{'})+bytes.Count(body, []byte{'['}) <= maxDepth {
		return true // without looking closer
	}
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString:
			switch c {
			case '\\':
				i++
			case '"':
				inString = false
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return false
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return true
}

func queryValue(query, name string) string {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		k, v, _ := strings.Cut(pair, "=")
		if k != name {
			if !strings.ContainsAny(k, "%+") {
				continue
			}
			if plain, err := url.QueryUnescape(k); err != nil || plain != name {
				continue
			}
		}
		if plain, err := url.QueryUnescape(v); err == nil {
			return plain
		}
		return v
	}
	return ""
}

// cleanType makes a value fit to be an event type: valid UTF-8 of at most 255
// bytes without control characters.
func cleanType(s string) string {
	if len(s) <= maxKey && isPlain(s) {
		return strings.TrimSpace(s)
	}
	if len(s) > 4*maxKey {
		s = s[:4*maxKey]
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if len(s) > maxKey {
		s = strings.ToValidUTF8(s[:maxKey], "")
	}
	return s
}

// isPlain reports whether s is valid UTF-8 without control characters.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f {
			return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
		}
	}
	return true
}
