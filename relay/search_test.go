package relay

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text, body string
		want       bool
	}{
		"as it stands":            {"order", `{"a":"order"}`, true},
		"letter case":             {"OrDeR 7", `{"a":"oRdEr 7"}`, true},
		"not there":               {"order", `{"a":"odrer"}`, false},
		"letters beyond ASCII":    {"zoë", "ZOË", true},
		"escaped":                 {"Zoë", `{"a":"zo\u00eb"}`, true},
		"escaped in capitals":     {"Zoë", `{"a":"zo\u00CB"}`, true},
		"typed escaped":           {`zo\u00eb`, `{"a":"Zoë"}`, true},
		"escaped both":            {`zo\u00eb`, `{"a":"zo\u00eb"}`, true},
		"beyond the first plane":  {"😀!", `{"a":"\ud83d\ude00!"}`, true},
		"half of a pair":          {"😀", `{"a":"\ud83d"}`, false},
		"slashes of PHP":          {"https://a/b", `{"a":"https:\/\/a\/b"}`, true},
		"brackets of Go":          {"<b> & c", `{"a":"\u003cb\u003e \u0026 c"}`, true},
		"quoted":                  {`say "hi"`, `{"a":"say \"hi\""}`, true},
		"line ends":               {"a\nb", `{"a":"a\nb"}`, true},
		"a path":                  {`C:\new`, `{"a":"C:\\new"}`, true},
		"a path as it stands":     {`C:\new`, `C:\new`, true},
		"a backslash at the end":  {`x\`, `{"a":"x\\"}`, true},
		"no escape":               {`\q`, `\Q`, true},
		"bytes":                   {"a\xff\x00", "A\xff\x00", true},
		"other bytes":             {"a\xff", "a\xfe", false},
		"overlapping beginnings":  {"aab", "aaab", true},
		"two scripts":             {"日本", `{"a":"\u65e5\u672c"}`, true},
		"one character":           {"é", `{"a":"\u00c9"}`, true},
		"longer than it all":      {"order", "ord", false},
		"a quote in a plain text": {`"`, `say "hi"`, true},
	} {
		s := NewSearch(c.text)
		if got := s.InBody(c.body); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		checkHints(t, s, c.body)
	}
}

// checkHints checks what Hints promises of a body.
func checkHints(t *testing.T, s *Search, body string) {
	t.Helper()
	hints, exact := s.Hints()
	found, hinted := s.InBody(body), false
	for _, h := range hints {
		hinted = hinted || strings.Contains(lowerASCII(body), h)
	}
	if found && !hinted || exact && hinted != found {
		t.Errorf("%q in %q: found %t, hints %q (exact %t) say %t", string(s.needles[0].text), body, found, hints, exact, hinted)
	}
}

func TestSearchLooksIntoNoSecret(t *testing.T) {
	t.Parallel()
	p := &Payload{Headers: Headers{{"X-Order", "Zoë-77"}, {"Authorization", "Bearer abc"}, {"X-Acme", "def"}}, Credentials: []string{"x-acme"}}
	for text, want := range map[string]bool{"zoË-7": true, "abc": false, "def": false, "x-order": false} {
		if got := NewSearch(text).InHeaders(p); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

func FuzzSearch(f *testing.F) {
	f.Add("zoë", "say zoë", uint8(0))
	f.Add(`\u00e`, `a\u00eb`, uint8(1))
	f.Fuzz(func(t *testing.T, text, body string, form uint8) {
		if text == "" || !utf8.ValidString(text) { // a part of a character is not looked for
			return
		}
		s := NewSearch(text)
		checkHints(t, s, body)
		if strings.Contains(body, text) && !s.InBody(body) {
			t.Errorf("%q is not found in %q", text, body)
		}
		if !utf8.ValidString(body) || !strings.Contains(body, text) {
			return
		}
		var written strings.Builder
		out := json.NewEncoder(&written)
		out.SetEscapeHTML(form%2 == 0)
		if err := out.Encode(body); err == nil && !s.InBody(written.String()) {
			t.Errorf("%q is not found in %s", text, written.String())
		}
	})
}
