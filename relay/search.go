package relay

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Search is a text that people look for. Letter case does not count, beyond
// ASCII either, and in bodies an escape of JSON is what it stands for.
type Search struct {
	needles []needle // the text as it was typed, and as JSON would read it
}

// NewSearch makes a search for a text, which must not be empty.
func NewSearch(text string) *Search {
	s := &Search{needles: []needle{newNeedle(text)}}
	if strings.IndexByte(text, '\\') >= 0 {
		var plain []rune
		eachRune(text, true, func(r rune) bool { plain = append(plain, r); return true })
		s.needles = append(s.needles, needle{plain, borders(plain)})
	}
	return s
}

// InText reports whether a text holds what is looked for.
func (s *Search) InText(text string) bool { return s.needles[0].in(text, false) }

// InBody reports whether a body does, read as it is or as JSON.
func (s *Search) InBody(body string) bool {
	if s.needles[0].in(body, false) {
		return true
	}
	if strings.IndexByte(body, '\\') < 0 && len(s.needles) == 1 {
		return false
	}
	for _, n := range s.needles {
		if n.in(body, true) {
			return true
		}
	}
	return false
}

// InHeaders reports whether the value of a header does. What is masked for
// people is not looked into.
func (s *Search) InHeaders(p *Payload) bool {
	for _, h := range p.Headers {
		if !IsSecretHeader(h.Name) && !containsFold(p.Credentials, h.Name) && s.InText(h.Value) {
			return true
		}
	}
	return false
}

// Hints are byte strings with ASCII letters in lower case. Each body that holds
// the text holds one of them, once its own ASCII letters are lowered. If exact,
// each body with a hint holds the text.
func (s *Search) Hints() (hints []string, exact bool) {
	for i, n := range s.needles {
		run, whole := n.plainRun()
		if run != "" {
			hints = append(hints, run)
			exact = i == 0 && whole
			continue
		}
		for _, r := range []rune{n.text[0], unicode.ToUpper(n.text[0])} {
			hints = append(hints, writings(r)...)
		}
	}
	return hints, exact && len(s.needles) == 1
}

// plainRun is the longest part of the text that every sender writes alike,
// letter case aside, if it has two characters or more.
func (n *needle) plainRun() (run string, whole bool) {
	start := 0
	for i := 0; i <= len(n.text); i++ {
		if i < len(n.text) && isUnescaped(n.text[i]) {
			continue
		}
		if i-start > len(run) && i-start >= 2 {
			run = string(n.text[start:i])
		}
		start = i + 1
	}
	return run, len(run) == len(n.text)
}

// isUnescaped reports whether no writer of JSON is known to escape a character.
func isUnescaped(r rune) bool {
	return r >= ' ' && r < 0x7f && !strings.ContainsRune(`"\/<>&'=+`, r)
}

// writings are the ways to write a character in JSON, ASCII letters lowered.
func writings(r rune) []string {
	if r >= invalidByte {
		return []string{string([]byte{byte(r - invalidByte)})}
	}
	out := []string{lowerASCII(string(r))}
	hex := func(unit rune) string {
		const digits = "0123456789abcdef"
		return string([]byte{'\\', 'u', digits[unit>>12&15], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15]})
	}
	if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
		out = append(out, hex(high)+hex(low))
	} else {
		out = append(out, hex(r))
	}
	for letter, plain := range shortEscapes {
		if plain == r {
			out = append(out, `\`+string(letter))
		}
	}
	return out
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] = lower(b[i])
	}
	return string(b)
}

// needle is a text in folded characters, with the table by which it is found in
// one pass (Knuth, Morris and Pratt, Fast pattern matching in strings, 1977).
type needle struct {
	text    []rune
	borders []int
}

func newNeedle(text string) needle {
	var folded []rune
	eachRune(text, false, func(r rune) bool { folded = append(folded, r); return true })
	return needle{folded, borders(folded)}
}

func borders(text []rune) []int {
	table := make([]int, len(text))
	for i, k := 1, 0; i < len(text); i++ {
		for k > 0 && text[i] != text[k] {
			k = table[k-1]
		}
		if text[i] == text[k] {
			k++
		}
		table[i] = k
	}
	return table
}

func (n *needle) in(text string, unescape bool) bool {
	k := 0
	eachRune(text, unescape, func(r rune) bool {
		for k > 0 && r != n.text[k] {
			k = n.borders[k-1]
		}
		if r == n.text[k] {
			k++
		}
		return k < len(n.text)
	})
	return k == len(n.text)
}

// invalidByte is added to a byte that is no part of UTF-8.
const invalidByte = unicode.MaxRune + 1

// The escapes of JSON but \u (RFC 8259, section 7).
var shortEscapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// eachRune hands out the characters of a text in lower case until it is told to
// stop, escapes of JSON as what they stand for if unescape is set.
func eachRune(text string, unescape bool, yield func(rune) bool) {
	for len(text) > 0 {
		r, size := rune(text[0]), 1
		switch {
		case unescape && r == '\\':
			r, size = escaped(text)
		case r >= utf8.RuneSelf:
			if r, size = utf8.DecodeRuneInString(text); r == utf8.RuneError && size == 1 {
				r = invalidByte + rune(text[0])
			}
		}
		text = text[size:]
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		} else if r >= utf8.RuneSelf && r < invalidByte {
			r = unicode.ToLower(r)
		}
		if !yield(r) {
			return
		}
	}
}

// escaped reads the escape that a text begins with, or else the backslash alone.
func escaped(text string) (r rune, size int) {
	if len(text) < 2 {
		return '\\', 1
	}
	if plain, ok := shortEscapes[text[1]]; ok {
		return plain, 2
	}
	unit, ok := utf16Unit(text)
	if !ok {
		return '\\', 1
	}
	if utf16.IsSurrogate(unit) {
		if low, ok := utf16Unit(text[6:]); ok {
			if both := utf16.DecodeRune(unit, low); both != utf8.RuneError {
				return both, 12
			}
		}
	}
	return unit, 6
}

func utf16Unit(text string) (unit rune, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	for i := 2; i < 6; i++ {
		digit := strings.IndexByte("0123456789abcdef", lower(text[i]))
		if digit < 0 {
			return 0, false
		}
		unit = unit<<4 | rune(digit)
	}
	return unit, true
}
