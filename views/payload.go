package views

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/a-h/templ"

	"github.com/reprise-dev/reprise/relay"
)

// What a page shows of a body at most; the download has all of it.
const (
	shownBytes = 256 << 10
	shownHex   = 4 << 10
)

// bodyView is a body made ready to be shown in more than one way. All of it
// is text, never markup.
type bodyView struct {
	Empty  bool
	JSON   []token // pretty; nil: the body is not JSON
	Text   string  // as it came, with disguised characters shown; empty: binary
	Exact  bool    // Text is the body, character for character, so it may be copied
	Hex    string
	Form   []formField // of an urlencoded body
	Cut    bool        // Text or JSON shows only the beginning
	HexCut bool
	Size   int
}

type formField struct{ Name, Value string }

// token is a piece of JSON of one colour.
type token struct {
	Class string
	Text  string
}

func newBodyView(contentType string, body []byte) bodyView {
	v := bodyView{Empty: len(body) == 0, Size: len(body)}
	head := body
	if len(head) > shownHex {
		head, v.HexCut = head[:shownHex], true
	}
	v.Hex = hexOf(head)
	shown := body
	if len(shown) > shownBytes {
		shown, v.Cut = shown[:shownBytes], true
	}
	if isText(shown) {
		v.Text = visible(string(shown))
		v.Exact = !v.Cut && v.Text == string(body)
	}
	if !v.Cut && looksJSON(contentType, body) {
		var pretty bytes.Buffer
		if json.Indent(&pretty, body, "", "  ") == nil && pretty.Len() <= 4*shownBytes {
			v.JSON = jsonTokens(visible(pretty.String()))
		}
	}
	if media, _, err := mime.ParseMediaType(contentType); err == nil && media == "application/x-www-form-urlencoded" && !v.Cut {
		v.Form = formFields(body)
	}
	return v
}

func looksJSON(contentType string, body []byte) bool {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	if len(trimmed) == 0 {
		return false
	}
	return strings.Contains(contentType, "json") || trimmed[0] == '{' || trimmed[0] == '['
}

// isText tells text from binary: valid UTF-8, but for a rune cut at the end,
// and without control characters that no text has.
func isText(b []byte) bool {
	for i := 0; i < len(b); {
		if c := b[i]; c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != 0x1b && c != '\f' {
			return false
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 && len(b)-i >= utf8.UTFMax {
			return false
		}
		i += n
	}
	return len(b) > 0
}

// jsonTokens colours JSON that json.Indent has laid out: a member name is a
// string before a colon.
func jsonTokens(s string) []token {
	var tokens []token
	add := func(class, text string) {
		if n := len(tokens); n > 0 && tokens[n-1].Class == class {
			tokens[n-1].Text += text
			return
		}
		tokens = append(tokens, token{class, text})
	}
	for i := 0; i < len(s); {
		j := i + 1
		switch c := s[i]; {
		case c == '"':
			for j < len(s) && s[j] != '"' {
				if s[j] == '\\' {
					j++
				}
				j++
			}
			j = min(j+1, len(s))
			if j < len(s) && s[j] == ':' {
				add("json-key", s[i:j])
			} else {
				add("json-string", s[i:j])
			}
		case c == '-' || c >= '0' && c <= '9':
			for j < len(s) && strings.IndexByte("0123456789+-.eE", s[j]) >= 0 {
				j++
			}
			add("json-number", s[i:j])
		case c >= 'a' && c <= 'z':
			for j < len(s) && s[j] >= 'a' && s[j] <= 'z' {
				j++
			}
			add("json-word", s[i:j])
		case strings.IndexByte("{}[],:", c) >= 0:
			add("json-mark", s[i:j])
		default:
			add("", s[i:j])
		}
		i = j
	}
	return tokens
}

// prettyTokens is a small JSON text in colours, nil if it is not one.
func prettyTokens(body []byte, truncated bool) []token {
	if truncated || !looksJSON("", body) {
		return nil
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, "", "  ") != nil {
		return nil
	}
	return jsonTokens(visible(pretty.String()))
}

func hexOf(body []byte) string { return strings.TrimRight(hex.Dump(body), "\n") }

// coloured writes tokens as spans. The text of each is escaped.
func coloured(tokens []token) templ.Component {
	return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		var b bytes.Buffer
		for _, t := range tokens {
			if t.Class == "" {
				b.WriteString(html.EscapeString(t.Text))
				continue
			}
			fmt.Fprintf(&b, `<span class="%s">%s</span>`, t.Class, html.EscapeString(t.Text))
		}
		_, err := w.Write(b.Bytes())
		return err
	})
}

func formFields(body []byte) []formField {
	var fields []formField
	for pair := range strings.SplitSeq(string(body), "&") {
		name, value, _ := strings.Cut(pair, "=")
		if pair != "" {
			fields = append(fields, formField{unescapeForm(name), unescapeForm(value)})
		}
	}
	return fields
}

// ingestCurl sends an event's request again to its source, as it first came.
// What connection and proxies added is left out.
func ingestCurl(target string, ev *relay.Event, p *relay.Payload) string {
	var b strings.Builder
	method := or(p.Method, "POST")
	target += p.Path
	if p.Query != "" {
		target += "?" + p.Query
	}
	b.WriteString("curl -X " + shellQuote(method) + " " + shellQuote(line(target)))
	for _, h := range relay.ForwardHeaders(p.Headers, nil, p.Credentials...) {
		b.WriteString(" \\\n  -H " + shellQuote(line(h.Name+": "+h.Value)))
	}
	switch {
	case len(p.Body) == 0:
	case isText(p.Body) && len(p.Body) <= 64<<10 && visible(string(p.Body)) == string(p.Body):
		b.WriteString(" \\\n  --data-binary " + shellQuote(string(p.Body)))
	default:
		b.WriteString(" \\\n  --data-binary @" + relay.PrefixEvent.Format(ev.ID) + ".bin")
	}
	return b.String()
}

func unescapeForm(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}
